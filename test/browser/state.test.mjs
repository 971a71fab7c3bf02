// What people do with the state of a stack, and how they find what it holds.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('state');
const { chapter } = told;
let server;
let browser;
let admin;

const documents = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: rita}
spec: {profile: {displayName: Rita}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: rita-reads}
spec: {role: reader, space: default, subjects: ["user:default/rita"]}
---
apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: group:default/crew
  source: {repository: default/net, branch: main, path: infra}
---
apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: empty}
spec:
  owner: group:default/crew
  source: {repository: default/net, branch: main, path: other}
`;

const bucket = (name, tag) => ({
  mode: 'managed',
  type: 'aws_s3_bucket',
  name,
  provider: 'provider["registry.opentofu.org/hashicorp/aws"]',
  instances: [
    {
      attributes: { id: name, arn: `arn:aws:s3:::${name}`, tag, key: `hush-${tag}` },
      sensitive_attributes: [[{ type: 'get_attr', value: 'key' }]],
    },
  ],
});

/** Pushes a state as one from elsewhere. */
async function push(serial, output, ...buckets) {
  const state = { version: 4, terraform_version: '1.12.0', serial, lineage: 'l', outputs: { endpoint: { value: output, type: 'string' } }, resources: buckets };
  const answer = await fetch(`${server.url}/api/state/default/net?push=true`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${server.token}` },
    body: JSON.stringify(state),
  });
  assert.equal(answer.status, 200, await answer.text());
}

before(async () => {
  server = await start();
  browser = await launch();
  await server.api('POST', '/apply', { documents, source: 'test' });
  admin = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('what is empty says what to do', async () => {
  await admin.goto('/infrastructure/resources');
  await admin.getByText('Nothing is under management yet').waitFor();
  await told.sound(admin, 'no resources');
  await admin.goto('/infrastructure/default/empty?tab=state');
  await admin.getByText('No state yet').waitFor();
  await told.sound(admin, 'a stack without a state');
});

chapter('two versions are compared', async () => {
  await push(3, 'one', bucket('logs', 'old'), bucket('dumps', 'x'));
  await push(4, 'two', bucket('logs', 'new'), bucket('media', 'x'));
  await admin.goto('/infrastructure/default/net');
  await admin.getByRole('tab', { name: 'State' }).click();
  await admin.getByText('aws_s3_bucket.logs').waitFor();
  await admin.getByText('arn:aws:s3:::media').waitFor(); // few changes are open
  const main = await admin.getByRole('main').innerText();
  for (const word of ['old', 'new', 'aws_s3_bucket.dumps', 'endpoint', 'Sensitive values are not shown.']) assert.ok(main.includes(word), `${word} in ${main}`);
  assert.doesNotMatch(main, /hush-/);
  await picture(admin, 'state');
  await told.sound(admin, 'what differs between two versions');
  await admin.getByText('+ 1 added').click();
  await admin.getByText('aws_s3_bucket.logs').waitFor({ state: 'detached' });
  await admin.goto(admin.url()); // the address leads there
  await admin.getByText('arn:aws:s3:::media').waitFor();
  assert.equal(await admin.getByText('aws_s3_bucket.logs').count(), 0);
  await admin.getByRole('button', { name: 'What it changed: serial 3' }).click();
  await admin.getByText('arn:aws:s3:::dumps').waitFor();
});

chapter('the state is locked with a reason, and freed', async () => {
  await admin.goto('/infrastructure/default/net?tab=state');
  await admin.getByRole('button', { name: 'Lock', exact: true }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByLabel('Why').fill('moving the database');
  await told.sound(admin, 'the dialog of a lock');
  await dialog.getByRole('button', { name: 'Lock', exact: true }).click();
  await admin.getByText('moving the database').waitFor();
  await admin.getByRole('button', { name: 'Roll back to serial 3' }).click();
  await admin.getByRole('dialog').getByLabel('Type net to go on').fill('net');
  await admin.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click();
  await admin.getByRole('dialog').getByText(/the state of stack:default\/net is locked since/).waitFor();
  await admin.getByRole('button', { name: 'Keep it as it is' }).click();
  await admin.getByRole('button', { name: 'Unlock', exact: true }).click();
  await admin.getByRole('dialog').getByLabel('Type net to go on').fill('net');
  await admin.getByRole('dialog').getByRole('button', { name: 'Unlock', exact: true }).click();
  await admin.getByText('moving the database').waitFor({ state: 'detached' });
});

chapter('an earlier version becomes the newest', async () => {
  await admin.getByRole('button', { name: 'Roll back to serial 3' }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByText(/A new version with the 2 resources of serial 3 is written/).waitFor();
  assert.ok(await dialog.getByRole('button', { name: 'Roll back', exact: true }).isDisabled());
  await dialog.getByLabel('Why').fill('it was wrong');
  await dialog.getByLabel('Type net to go on').fill('net');
  await picture(admin, 'rollback');
  await told.sound(admin, 'the dialog of a rollback');
  await dialog.getByRole('button', { name: 'Roll back', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await admin.getByRole('button', { name: 'What it changed: serial 5' }).waitFor();
  await admin.getByText('arn:aws:s3:::dumps').waitFor();
});

chapter('who owns this bucket', async () => {
  await admin.goto('/infrastructure');
  await admin.getByRole('main').getByRole('link', { name: 'Resources' }).click();
  await admin.getByText('aws_s3_bucket.dumps').waitFor();
  await admin.getByLabel('Address, id, ARN or name').fill('s3:::logs');
  await admin.getByText('aws_s3_bucket.dumps').waitFor({ state: 'detached' });
  await admin.getByText('arn:aws:s3:::logs').waitFor();
  assert.match(admin.url(), /text=s3/);
  await picture(admin, 'resources');
  await admin.getByRole('button', { name: 'aws_s3_bucket.logs' }).click();
  await admin.getByRole('dialog').getByText('tag: old').waitFor();
  assert.match(admin.url(), /show=/);
  await told.sound(admin, 'a resource');
  await picture(admin, 'resource');
  await admin.keyboard.press('Escape');
  await admin.getByRole('dialog').waitFor({ state: 'detached' });
  await told.sound(admin, 'the resources');
  await admin.getByLabel('Owner').fill('group:default/others');
  await admin.getByText('No resource is like that').waitFor();
  await admin.getByRole('link', { name: 'Show all' }).click();
  await admin.getByRole('row').getByRole('link', { name: 'net', exact: true }).first().click();
  await admin.getByRole('heading', { level: 1, name: 'net' }).waitFor();
});

chapter('a reader sees what differs, and neither how nor a way to change it', async () => {
  const { url } = await server.api('POST', '/signin-links', { user: 'user:default/rita' });
  const rita = await told.person(browser, server.url, url);
  await rita.goto('/infrastructure/default/net?tab=state&from=3&to=4');
  await rita.getByText('Their values take the right to read the state').waitFor();
  await rita.getByText('Differs in key, tag').waitFor();
  const main = await rita.getByRole('main').innerText();
  assert.doesNotMatch(main, /arn:aws|hush-/);
  for (const refused of ['Lock', /^Roll back/]) assert.equal(await rita.getByRole('button', { name: refused, exact: typeof refused === 'string' }).count(), 0);
  await told.sound(rita, 'the state for a reader');
  await rita.setViewportSize({ width: 390, height: 800 });
  await rita.goto(rita.url()); // the menu is folded at once
  await rita.getByText('Differs in key, tag').waitFor();
  const cut = await rita.evaluate(() => [...document.querySelectorAll('main table')].filter((t) => t.scrollWidth > t.parentElement.clientWidth).map((t) => t.ariaLabel));
  assert.deepEqual(cut, [], 'tables that are wider than the screen');
  await picture(rita, 'state-narrow');
  await rita.context().close();
});

chapter('nothing was broken', async () => told.end());
