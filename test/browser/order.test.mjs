// Which runs of stacks go next, what they wait for, here and outside, and a part of a plan.
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('order');
const { chapter } = told;
let server;
let browser;
let admin;
let first;
let second;
let third;

const code = `resource "terraform_data" "one" {
  input = "first"
}

resource "terraform_data" "two" {
  input = "second"
}
`;

const documents = `apiVersion: roadbed.dev/v1
kind: PriceList
metadata: {name: data}
spec:
  currency: EUR
  prices: [{resource: terraform_data, name: letters, unit: letter, monthly: 2.5, quantity: "double(values.input.size())"}]
---
apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: group:default/crew
  source: {repository: default/net, branch: main, path: infra}
`;

const bob = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bob}
spec: {memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: bob-administers}
spec: {role: admin, space: default, subjects: ["user:default/bob"]}
`;

/** Has each push wait for an image of its commit, and for a chart. */
const images = JSON.stringify({
  apiVersion: 'roadbed.dev/v1',
  kind: 'Policy',
  metadata: { name: 'images' },
  spec: {
    point: 'push',
    rego: `package spacelift

track { true }
external_dependency[sprintf("%s-image", [input.push.hash])] { true }
external_dependency["chart"] { true }
`,
  },
});

/** Waits until a run is in a state. */
async function until(id, state) {
  for (let i = 0; i < 600; i++) {
    const run = await server.api('GET', `/runs/${id}`);
    if (run.state === state) return run;
    if (run.terminal) assert.fail(`run ${id} is ${run.state}: ${run.reason}`);
    await new Promise((go) => setTimeout(go, 100));
  }
  assert.fail(`run ${id} does not become ${state}`);
}

before(async () => {
  server = await start();
  browser = await launch();
  await server.api('POST', '/repositories', { namespace: 'default', name: 'net' });
  const dir = await mkdtemp(join(tmpdir(), 'roadbed-order-'));
  await mkdir(join(dir, 'infra'));
  await writeFile(join(dir, 'infra', 'main.tf'), code);
  const remote = server.url.replace('://', `://admin:${server.token}@`);
  for (const args of [
    ['init', '--quiet', '--initial-branch=main'],
    ['add', '--all'],
    ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', 'commit', '--quiet', '--message', 'a network'],
    ['push', '--quiet', `${remote}/git/default/net.git`, 'main'],
  ]) {
    execFileSync('git', args, { cwd: dir });
  }
  await server.api('POST', '/apply', { documents, source: 'test' });
  for (let i = 0; i < 300 && !first; i++) {
    first = (await server.api('GET', '/runs?subject=stack:default/net')).items[0]?.id;
    await new Promise((go) => setTimeout(go, 100));
  }
  await until(first, 'unconfirmed');
  second = (await server.api('POST', '/stacks/default/net/runs', { type: 'tracked' })).id;
  third = (await server.api('POST', '/stacks/default/net/runs', { type: 'tracked' })).id;
  admin = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('the list of stacks is narrowed', async () => {
  await admin.goto('/infrastructure');
  await admin.getByRole('row', { name: /net/ }).getByText('not looked for').waitFor();
  await admin.getByLabel('With a queue').check();
  await admin.getByRole('row', { name: /net/ }).waitFor();
  await picture(admin, 'stacks');
  await told.sound(admin, 'the list of stacks');
  await admin.getByLabel('Drifted').check();
  await admin.getByText('No stack is like that').waitFor();
  await told.sound(admin, 'no stack is like that');
  await admin.getByRole('link', { name: 'Show all' }).click();
  await admin.getByRole('row', { name: /net/ }).waitFor();
});

chapter('a run goes before another', async () => {
  await admin.goto('/infrastructure/default/net');
  const rows = admin.getByRole('table', { name: 'Queue of net' }).getByRole('row');
  await rows.filter({ hasText: 'holds the stack' }).waitFor();
  assert.equal(await rows.count(), 4); // with its head
  await picture(admin, 'queue');
  await told.sound(admin, 'the queue of a stack');
  await admin.goto(`/runs/${third}`);
  await admin.getByText('2 of 2 in the queue').waitFor();
  await admin.getByRole('main').getByRole('link', { name: 'Change net, by Administrator' }).waitFor();
  assert.match(await admin.getByRole('navigation', { name: 'Breadcrumb' }).innerText(), /run …\w{6}$/);
  await admin.getByRole('button', { name: 'More' }).click();
  await admin.getByRole('menuitem', { name: 'Prioritize' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Prioritize', exact: true }).click();
  await admin.getByText('1 of 2 in the queue').waitFor();
  await told.sound(admin, 'a run that waits');
});

chapter('a part of a plan is planned anew', async () => {
  await admin.goto(`/runs/${first}?tab=plan`);
  await admin.getByText('Cost in a month').waitFor();
  await admin.getByText('+27.50 EUR').first().waitFor();
  const bar = admin.getByRole('region', { name: 'Plan anew' });
  assert.ok(await bar.getByRole('button', { name: 'Plan only these' }).isDisabled());
  await admin.getByLabel('Choose terraform_data.one').check();
  await bar.getByText('1 chosen').waitFor();
  await picture(admin, 'replan');
  await told.sound(admin, 'a choice of a plan');
  await bar.getByRole('button', { name: 'Plan only these' }).click();
  await admin.getByText('+12.50 EUR').first().waitFor({ timeout: 30_000 });
  await admin.getByText('1 to create; waits for somebody to confirm it').waitFor();
  assert.equal(await admin.getByLabel('Choose terraform_data.two').count(), 0);
});

chapter('a preview is promoted', async () => {
  for (const id of [first, third, second]) await server.api('POST', `/runs/${id}/${id === first ? 'discard' : 'cancel'}`, {});
  const preview = (await server.api('POST', '/stacks/default/net/runs', { type: 'proposed' })).id;
  await until(preview, 'finished');
  await admin.goto(`/runs/${preview}`);
  await admin.getByRole('button', { name: 'Promote', exact: true }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Promote', exact: true }).click();
  await admin.getByRole('heading', { name: 'Change net' }).waitFor();
});

chapter('the same is done with several at once, and what fails says why', async () => {
  await admin.getByText('2 to create; waits for somebody to confirm it').first().waitFor({ timeout: 30_000 });
  await admin.goto('/infrastructure');
  await admin.getByLabel('Select stack:default/net').check();
  const stacks = admin.getByRole('region', { name: 'Selected stacks' });
  await stacks.getByText('1 selected').waitFor();
  await told.sound(admin, 'selected stacks');
  await stacks.getByRole('button', { name: 'Plan only' }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByRole('link', { name: 'net' }).waitFor();
  await dialog.getByRole('button', { name: 'Plan only' }).click();
  await dialog.getByText('Plan only: done with it.').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await stacks.waitFor({ state: 'detached' });
  await admin.goto('/runs?subject=stack:default/net');
  await admin.getByRole('link', { name: 'Change net' }).first().waitFor();
  await admin.getByLabel('Select all that are shown').check();
  const runs = admin.getByRole('region', { name: 'Selected runs' });
  await picture(admin, 'runs-selected');
  await told.sound(admin, 'selected runs');
  await runs.getByRole('button', { name: 'Confirm (1)' }).click();
  await dialog.getByText(/others that you chose can’t/).waitFor();
  await dialog.getByLabel('Note').fill('all at once');
  await told.sound(admin, 'the same with several runs');
  await dialog.getByRole('button', { name: 'Confirm', exact: true }).click();
  await dialog.getByText('Confirm: done with 0 of 1. It failed with:').waitFor();
  await dialog.getByText(/an author of a run can't confirm it/).waitFor();
  await picture(admin, 'runs-failed');
  await dialog.getByRole('button', { name: 'Done' }).click();
});

chapter('a resource tells that it has drifted', async () => {
  await server.api('POST', '/apply', { documents: bob, source: 'bob' });
  const { secret } = await server.api('POST', '/tokens', { name: 'bob', owner: 'user:default/bob' });
  const { items } = await server.api('GET', '/runs?subject=stack:default/net&state=unconfirmed');
  const by = (token, method, path, body) => fetch(`${server.url}/api${path}`, { method, headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body });
  assert.equal((await by(secret, 'POST', `/v1/runs/${items[0].id}/confirm`, '{}')).status, 200);
  await until(items[0].id, 'finished');
  const state = await (await by(server.token, 'GET', '/state/default/net')).json();
  state.serial += 1;
  const other = JSON.stringify(state).replaceAll('"first"', '"by hand"');
  assert.equal((await by(server.token, 'POST', '/state/default/net?push=true', other)).status, 200);
  const look = (await server.api('POST', '/stacks/default/net/runs', { type: 'drift' })).id;
  await until(look, 'finished');
  for (let i = 0; i < 300 && (await server.api('GET', '/resources?drifted=true')).items.length === 0; i++) await new Promise((go) => setTimeout(go, 100));
  await admin.goto('/infrastructure/resources');
  await admin.getByRole('row', { name: /terraform_data.one/ }).getByText('changed').waitFor();
  await admin.getByRole('row', { name: /terraform_data.two/ }).getByText('none').waitFor();
  await admin.getByLabel('Drifted').check();
  await admin.getByRole('row', { name: /terraform_data.two/ }).waitFor({ state: 'detached' });
  await picture(admin, 'resources-drifted');
  await told.sound(admin, 'resources that have drifted');
  await admin.getByRole('button', { name: 'terraform_data.one' }).click();
  await admin.getByRole('dialog').getByText('looked at').waitFor();
  await picture(admin, 'resource-drifted');
});

chapter('a run waits for what is outside, until somebody marks it', async () => {
  await server.api('POST', '/apply', { documents: images, source: 'images' });
  const { commit } = await server.api('POST', '/repositories/default/net/commits', {
    branch: 'main',
    message: 'Change the second',
    changes: [{ path: 'infra/main.tf', text: code.replace('second', 'third') }],
  });
  let waits;
  for (let i = 0; i < 300 && !waits; i++) {
    waits = (await server.api('GET', `/runs?subject=stack:default/net&commit=${commit}`)).items[0]?.id;
    await new Promise((go) => setTimeout(go, 100));
  }
  await admin.goto(`/runs/${waits}`);
  await admin.getByRole('status').getByText('nobody has marked as finished yet').waitFor();
  await picture(admin, 'outside');
  await told.sound(admin, 'a run that waits for what is outside');
  await admin.getByRole('button', { name: `Mark ${commit}-image` }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByText('for all runs of the space default').waitFor();
  await dialog.getByLabel('Note').fill('build 7');
  await picture(admin, 'mark');
  await told.sound(admin, 'the marking of what is outside');
  await dialog.getByRole('button', { name: 'Mark as finished' }).click();
  await dialog.waitFor({ state: 'detached' });
  await admin.getByRole('status').getByText('waits for chart').waitFor();
  await admin.getByText('build 7').waitFor();
  await admin.getByRole('button', { name: 'Mark chart' }).click();
  await dialog.getByLabel('Failed').check();
  await dialog.getByRole('button', { name: 'Mark as failed' }).click();
  await admin.getByText('chart, for which it waits, failed').first().waitFor();
  await admin.getByRole('button', { name: 'Mark chart' }).waitFor({ state: 'detached' });
  await picture(admin, 'outside-failed');
});
