// The whole main job through the portal alone, as three people in windows of their own; besides the portal only plain git is used.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const tail = randomBytes(3).toString('hex');
const shop = `shop-${tail}`;
const space = `shops-${tail}`;
const team = `team-${tail}`;
const minutes = 60_000;

const documents = `apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: ${space}, description: Where shops are}
spec: {parent: default}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: ${team}}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {profile: {displayName: Alice}, memberOf: [${team}]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bob}
spec: {profile: {displayName: Bob}, memberOf: [${team}]}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: ${team}-develops}
spec: {role: developer, space: ${space}, subjects: ["group:default/${team}"]}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: ${team}-reads}
spec: {role: reader, space: default, subjects: ["group:default/${team}"]}
`;

let server;
let browser;
const told = story('main-job');
const { chapter } = told;
const sound = (page, name) => told.sound(page, name);
const person = (link) => told.person(browser, server.url, link);
let admin;
let alice;
let bob;
let clone;
let pipeline;
let first;

before(async () => {
  server = await start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const serviceURL = () => `http://${shop}.localhost:${new URL(server.url).port}/`;

/** What the service answers to a browser at its host name. */
async function ask() {
  const tab = await alice.context().newPage();
  try {
    const answer = await tab.goto(serviceURL());
    assert.equal(answer.status(), 200, `${serviceURL()} answers ${answer.status()} ${await answer.text()}`);
    return await answer.json();
  } finally {
    await tab.close();
  }
}

chapter('an administrator declares a space, a team and its people, and hands out links', async () => {
  admin = await person(server.link);
  await admin.getByRole('heading', { level: 1 }).waitFor();
  await sound(admin, 'home of an empty platform');
  await admin.goto('/declare');
  await admin.getByRole('textbox', { name: 'Documents' }).fill(documents.replace('kind: Group', 'kind: Groop'));
  await admin.getByRole('button', { name: 'Show what would change', exact: true }).click();
  await admin.getByText(/Groop/).last().waitFor();
  await admin.getByRole('textbox', { name: 'Documents' }).fill(documents);
  await admin.getByRole('button', { name: 'Show what would change', exact: true }).click();
  await admin.getByText('Would be done: 6 of 6 would change.').waitFor();
  await sound(admin, 'a declaration');
  await admin.getByRole('button', { name: 'Apply', exact: true }).click();
  await admin.getByText('Done: 6 of 6 changed.').waitFor();
  for (const name of ['alice', 'bob']) {
    await admin.goto(`/catalog/user/default/${name}`);
    await admin.getByRole('button', { name: 'Make a sign-in link', exact: true }).click();
    const link = await admin.getByLabel('Link', { exact: true }).inputValue();
    const page = await person(link);
    if (name === 'alice') alice = page;
    else bob = page;
  }
  await alice.getByRole('heading', { name: 'Hello, Alice' }).waitFor();
  await sound(alice, 'home of a new person');
});

chapter('Alice uses the golden path', async () => {
  await alice.getByRole('navigation').getByRole('link', { name: 'Create' }).click();
  await sound(alice, 'golden paths');
  await alice.getByRole('link', { name: 'Use Go service' }).click();
  await alice.getByRole('textbox', { name: 'Name' }).fill('Not A Name');
  await alice.getByRole('button', { name: 'Next', exact: true }).click();
  await sound(alice, 'a form with a wrong value');
  await alice.getByRole('textbox', { name: 'Name' }).fill(shop);
  await alice.getByRole('combobox', { name: 'Owner' }).click();
  await alice.getByRole('option', { name: team }).click();
  await alice.getByRole('textbox', { name: 'Description' }).fill('Sells things');
  await alice.getByLabel('Space').click();
  await alice.getByLabel('Space').fill(space);
  await picture(alice, 'create');
  await alice.getByRole('button', { name: 'Next', exact: true }).click();
  await sound(alice, 'the second page of the form');
  await alice.getByRole('button', { name: 'Next', exact: true }).click();
  await sound(alice, 'the review of the form');
  await alice.getByRole('button', { name: 'Create', exact: true }).click();
  await alice.getByText('finished', { exact: true }).first().waitFor();
  clone = (await alice.getByText(/^git clone /).first().innerText()).trim().split(' ');
  await sound(alice, 'a run of a golden path');
  await alice.getByRole('link', { name: 'Open it in the catalog' }).click();
  await alice.getByRole('heading', { level: 1, name: shop }).waitFor();
});

chapter('its infrastructure waits; Alice is refused, Bob confirms', async () => {
  await alice.goto('/infrastructure');
  await sound(alice, 'stacks');
  await alice.getByRole('link', { name: `${shop}-infra` }).first().click();
  await sound(alice, 'a stack');
  await alice.getByRole('link', { name: /Change|run/ }).first().click();
  await alice.getByText('waits for review').first().waitFor({ timeout: 2 * minutes });
  await alice.getByRole('button', { name: 'Confirm', exact: true }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Confirm', exact: true }).click();
  await alice.getByRole('dialog').getByText(/author of a run can't confirm it/).waitFor();
  await sound(alice, 'a refused confirmation');
  await bob.goto('/');
  await bob.getByText(`Change ${shop}-infra`).first().waitFor();
  await bob.getByRole('button', { name: 'Confirm', exact: true }).first().waitFor(); // what waits is there, not only told of
  await picture(bob, 'home');
  await sound(bob, 'home with a run that waits');
  await bob.getByRole('link', { name: `Change ${shop}-infra` }).first().click();
  await bob.getByText('terraform_data.database').first().waitFor();
  await picture(bob, 'plan');
  await bob.getByRole('button', { name: 'Confirm', exact: true }).click();
  await bob.getByRole('dialog').getByLabel(/Note/).fill('looks right');
  await bob.getByRole('dialog').getByRole('button', { name: 'Confirm', exact: true }).click();
  await bob.getByText('finished', { exact: true }).first().waitFor({ timeout: 2 * minutes });
  await bob.getByText('looks right').first().waitFor();
  await sound(bob, 'a finished stack run');
  await alice.getByRole('dialog').getByRole('button', { name: 'Keep it as it is' }).click();
  await alice.getByText('finished', { exact: true }).first().waitFor(); // her page is live
});

chapter('the pipeline runs, and the service answers', async () => {
  await alice.goto('/runs?kind=workflow');
  await alice.getByRole('link', { name: `${shop}-pipeline` }).first().click();
  await alice.getByText('pack').first().waitFor();
  await alice.getByText('succeeded', { exact: true }).first().waitFor({ timeout: 5 * minutes });
  await alice.goto(`/applications/default/${shop}`);
  await alice.getByText('health: healthy', { exact: true }).first().waitFor({ timeout: 5 * minutes });
  await alice.getByText('sync: synced', { exact: true }).first().waitFor({ timeout: 2 * minutes });
  await alice.getByText('2/2').first().waitFor();
  await sound(alice, 'an application');
  await picture(alice, 'application');
  const said = await ask();
  assert.equal(said.service, shop);
  assert.match(said.commit, /^[0-9a-f]{40}$/);
  first = said.commit;
  assert.ok(Object.keys(said.outputs).length > 0, 'the outputs of the infrastructure reach the service');
  await alice.goto('/runs?kind=workflow');
  await alice.getByRole('link', { name: `${shop}-pipeline` }).first().click();
  await alice.getByRole('button', { name: /^test/ }).first().click();
  await alice.getByText(/ok\s/).first().waitFor();
  pipeline = alice.url();
  await picture(alice, 'run');
  await sound(alice, 'a pipeline with its log');
});

chapter('a second commit is live without reload, a third one is rolled back', async () => {
  await alice.goto('/tokens');
  await alice.getByRole('textbox', { name: 'Name' }).fill('laptop');
  await alice.getByRole('button', { name: 'Make token', exact: true }).click();
  const token = await alice.getByLabel('Token', { exact: true }).inputValue();
  await sound(alice, 'a new token');
  const work = path.join(server.folder, 'work');
  const git = (...args) =>
    execFileSync('git', args, {
      cwd: fs.existsSync(work) ? work : server.folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'http.extraHeader', GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`alice:${token}`).toString('base64')}` },
    }).trim();
  const change = (file, message, edit) => {
    git('pull', '--quiet', '--rebase');
    const text = fs.readFileSync(path.join(work, file), 'utf8');
    assert.notEqual(edit(text), text);
    fs.writeFileSync(path.join(work, file), edit(text));
    git('-c', 'user.name=Alice', '-c', 'user.email=alice@example.com', 'commit', '--quiet', '--all', '--message', message);
    git('push', '--quiet');
    return git('rev-parse', 'HEAD');
  };
  git(...clone.slice(1), '--quiet', 'work'); // as the outcome of the golden path said
  await bob.goto(`/applications/default/${shop}?tab=history`);
  await bob.getByText('succeeded', { exact: true }).first().waitFor();
  const before = await bob.getByRole('row').count();

  const second = change('deploy/configmap.yaml', 'greet the second time', (t) => t.replace('Hello from', 'Hello again from'));
  await bob.getByRole('row').nth(before).waitFor({ timeout: 3 * minutes }); // one more line of history, without a reload
  await bob.getByText('sync: synced', { exact: true }).first().waitFor({ timeout: 2 * minutes });
  await waitFor(async () => (await ask()).commit === second, 'the service tells the second commit');

  // By hand: what a sync would change, what the pods say, back to the deployment before, and to the head again.
  const app = `/applications/default/${shop}`;
  const started = async () => {
    await alice.waitForURL('**/runs/**');
    await alice.getByText('succeeded', { exact: true }).first().waitFor({ timeout: 2 * minutes });
  };
  await alice.goto(`${app}?tab=diff`);
  await alice.getByText('Nothing differs').waitFor();
  await sound(alice, 'the differences of an application');
  await alice.goto(`${app}?tab=logs`);
  await alice.getByRole('main').locator('pre').filter({ hasText: /\S/ }).waitFor();
  await sound(alice, 'the log of a pod');
  await alice.goto(`${app}?tab=history`);
  await alice.getByRole('button', { name: /^Roll back to/ }).first().click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click();
  await started();
  await waitFor(async () => (await ask()).commit === first, 'the service tells the first commit again');
  await alice.goto(app);
  await alice.getByRole('button', { name: 'Sync', exact: true }).click();
  await started();
  await waitFor(async () => (await ask()).commit === second, 'the service tells the second commit again');

  change('deploy/deployment.yaml', 'ask for health where there is none', (t) =>
    t.replace('progressDeadlineSeconds: 60', 'progressDeadlineSeconds: 5').replace('path: /healthz', 'path: /no-such-page'),
  );
  await bob.getByText(/did not become healthy and was rolled back/).first().waitFor({ timeout: 3 * minutes });
  await bob.getByText('health: healthy', { exact: true }).first().waitFor();
  assert.equal((await ask()).commit, second);
  await sound(bob, 'the history of an application');
});

async function waitFor(holds, what) {
  const end = Date.now() + 2 * minutes;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `in two minutes it did not come to be that ${what}`);
    await sleep(100);
  }
}

chapter('the page of the service tells all of it', async () => {
  await bob.goto(`/catalog/component/default/${shop}`);
  const main = bob.getByRole('main');
  await main.getByRole('link', { name: team }).first().waitFor();
  await main.getByRole('link', { name: `${shop}-infra` }).first().waitFor();
  await main.getByText('rolled back', { exact: false }).first().waitFor();
  await main.getByText(`${shop}-pipeline`).first().waitFor();
  await picture(bob, 'entity');
  await sound(bob, 'the page of a service');
  for (const [tab, shows] of [['Relations', 'owned by'], ['Runs', `${shop}-pipeline`], ['History', 'Ledger'], ['Document', 'lifecycle']]) {
    await bob.getByRole('tab', { name: tab }).click();
    await main.getByText(shows).first().waitFor();
    await sound(bob, `its ${tab.toLowerCase()}`);
  }
  await bob.goto('/ledger');
  await bob.getByText('live', { exact: true }).waitFor();
  await bob.getByText(/application rolled back/).first().waitFor();
  await sound(bob, 'the ledger');
  await admin.goto('/ledger');
  await admin.getByRole('button', { name: 'Verify', exact: true }).click();
  await admin.getByText(/entries is whole/).waitFor();
});

const looks = [
  { what: 'on a telephone in the dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { what: 'on a desk', viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  { what: 'on a wide screen in the dark', viewport: { width: 2560, height: 1300 }, colorScheme: 'dark' },
  { what: 'on a wide screen', viewport: { width: 2560, height: 1300 }, colorScheme: 'light' },
];
for (const { what, ...look } of looks) {
  chapter(`every page is sound ${what}`, async () => {
    const page = await told.window(browser, server.url, { storageState: await bob.context().storageState(), ...look });
    const ran = new URL(pipeline).pathname;
    for (const to of ['/', '/catalog', '/create', '/create/default/go-service', '/runs', ran, `${ran}?tab=details`, '/applications', `/applications/default/${shop}`, `/applications/default/${shop}?tab=logs`, '/infrastructure', `/infrastructure/default/${shop}-infra`, '/ledger', '/tokens', '/declare', '/repositories', `/repositories/${team}/${shop}`, `/repositories/${team}/${shop}?path=deploy%2F`, `/repositories/${team}/${shop}?path=README.md`, `/repositories/${team}/${shop}?tab=commits`, `/catalog/component/default/${shop}`, `/catalog/component/default/${shop}?tab=relations`, '/no-such-page']) {
      await page.goto(to);
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
      assert.equal(await page.getByText('Not Found').count(), 0, `${to} is not there`);
      await sound(page, `${to} ${what}`);
      await picture(page, `look-${look.viewport.width}-${look.colorScheme}-${to.replace(/[^a-z]+/g, '-').slice(0, 40)}`, 'ROADBED_LOOKS');
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wide <= 0, `${to} is ${wide} px wider than the screen, ${what}`);
    }
    await page.context().close();
  });
}

chapter('the first load is small, and no page broke', async () => {
  const page = await told.window(browser, server.url, { storageState: await bob.context().storageState() });
  let scripts = 0;
  const sized = [];
  page.on('response', (r) => {
    if (r.request().resourceType() === 'script') sized.push(r.request().sizes().then((s) => { scripts += s.responseBodySize; }));
  });
  await page.goto('/');
  await page.getByRole('heading', { level: 1 }).waitFor();
  await Promise.all(sized);
  assert.ok(scripts > 10_000 && scripts < 200_000, `the first load fetches ${scripts} bytes of script`);
  told.end();
});
