// A set keeps a stack for each folder of a repository: how it is found, what it shows of each folder, and how it looks again.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('stackset');
const { chapter } = told;
let server;
let browser;
let admin;

const code = 'resource "terraform_data" "one" {\n  input = "one"\n}\n';

const people = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: rita}
spec: {profile: {displayName: Rita}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: rita-reads}
spec: {role: reader, space: default, subjects: ["user:default/rita"]}
`;

const set = `apiVersion: roadbed.dev/v1
kind: StackSet
metadata: {name: live}
spec:
  owner: group:default/crew
  source: {repository: default/live, branch: main}
  folders: ["stacks/*/*/"]
  ignore: ["stacks/_*/**"]
`;

const commit = (changes) => server.api('POST', '/repositories/default/live/commits', { branch: 'main', message: 'More of it', changes });

/** Waits until the set is as is wanted. */
async function settled(as) {
  for (let i = 0; i < 300; i++) {
    const now = await server.api('GET', '/stack-sets/default/live');
    if (now.looked && as(now)) return;
    await new Promise((go) => setTimeout(go, 100));
  }
  assert.fail(`the set is ${JSON.stringify(await server.api('GET', '/stack-sets/default/live'))}`);
}

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents: people, source: 'test' });
  browser = await launch();
  admin = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const rows = () => admin.getByRole('table', { name: 'Folders' }).getByRole('row');
const row = (folder) => rows().filter({ has: admin.getByText(folder, { exact: true }) });

chapter('without a set the page says what one is for, and how it is declared', async () => {
  await admin.goto('/infrastructure');
  await admin.getByRole('main').getByRole('link', { name: 'Stack sets' }).click();
  await admin.getByText('No stack set yet').waitFor();
  await admin.getByText('kind: StackSet').waitFor();
  await told.sound(admin, 'no stack sets');
});

chapter('a set whose repository is not there says so', async () => {
  await server.api('POST', '/apply', { documents: set, source: 'test' });
  await admin.goto('/infrastructure/sets/default/live');
  await admin.getByText('could not look').waitFor();
  await admin.getByRole('status').filter({ hasText: 'default/live' }).waitFor();
  await told.sound(admin, 'a set that could not look');
});

chapter('every folder is there, with its stack or why it has none', async () => {
  await server.api('POST', '/repositories', { namespace: 'default', name: 'live' });
  const folders = Array.from({ length: 52 }, (_, i) => `stacks/pay/r${String(i).padStart(2, '0')}`);
  await commit([
    ...folders.map((f) => ({ path: `${f}/main.tf`, text: code })),
    { path: 'stacks/shop/EU West/main.tf', text: code },
    { path: 'stacks/shop/eu-west/main.tf', text: code },
    { path: 'stacks/shop/notes/README.md', text: 'No code.' },
    { path: 'stacks/_draft/eu/main.tf', text: code },
  ]);
  await settled((t) => t.stacks === 52);
  await admin.goto('/infrastructure/sets');
  await admin.getByRole('row', { name: /live.*2 folders have no stack/ }).waitFor();
  await told.sound(admin, 'stack sets');
  await admin.getByRole('link', { name: 'live', exact: true }).click();
  await admin.getByRole('heading', { level: 1, name: 'live' }).waitFor();
  const legend = admin.getByRole('list', { name: 'Folders by how they stand' });
  await legend.getByRole('button', { name: '52 with a stack' }).waitFor();
  await row('stacks/_draft/eu').getByText('ignored', { exact: true }).waitFor();
  await row('stacks/_draft/eu').getByText('the pattern stacks/_*/** of spec.ignore leaves it out').waitFor();
  await row('stacks/pay/r00').getByText('never ran').waitFor();
  assert.equal(await rows().count(), 51); // with its head
  await admin.getByRole('button', { name: 'Show more' }).click();
  await row('stacks/shop/EU West').getByText('would all be stack stacks-shop-eu-west').waitFor();
  await row('stacks/shop/notes').getByText('it has no file of its own that fits').waitFor();
  assert.equal(await rows().count(), 57);
  await picture(admin, 'stackset');
  await told.sound(admin, 'a stack set');
});

chapter('the folders are narrowed, and the address leads there', async () => {
  await admin.getByRole('button', { name: '2 that can’t be made' }).click();
  await row('stacks/pay/r00').waitFor({ state: 'detached' });
  assert.equal(await rows().count(), 3);
  assert.match(admin.url(), /standing=wrong/);
  await admin.goto(admin.url());
  await row('stacks/shop/EU West').waitFor();
  await admin.getByLabel('Folder or stack').fill('nowhere');
  await admin.getByText('No folder is like that').waitFor();
  await told.sound(admin, 'no folder is like that');
  await admin.getByRole('button', { name: 'Show all' }).click();
  await row('stacks/pay/r00').waitFor();
});

chapter('a folder that goes leaves its stack, which says so and leads back', async () => {
  await commit([
    { path: 'stacks/pay/r00/main.tf', delete: true },
    { path: 'stacks/pay/r01/main.tf', text: `${code}# more\n` },
  ]);
  await settled((t) => t.kept === 1);
  await admin.getByText('1 gone, stack stays.').waitFor({ timeout: 30_000 }); // without a reload
  await row('stacks/pay/r00').getByText('folder is gone', { exact: true }).waitFor();
  await row('stacks/pay/r00').getByRole('link', { name: 'stacks-pay-r00' }).click();
  await admin.getByRole('heading', { level: 1, name: 'stacks-pay-r00' }).waitFor();
  await admin.getByText('folder stacks/pay/r00 is gone; it stays, as the set says').waitFor();
  await told.sound(admin, 'a stack whose folder is gone');
  await admin.getByRole('main').getByRole('link', { name: 'live', exact: true }).first().click();
  await admin.getByRole('heading', { level: 1, name: 'live' }).waitFor();
  await row('stacks/pay/r01').getByRole('link', { name: /last run/ }).waitFor({ timeout: 30_000 });
  const crumbs = admin.getByRole('navigation', { name: 'Breadcrumb' });
  assert.deepEqual(await crumbs.getByRole('listitem').allInnerTexts(), ['Infrastructure', 'Stack sets', 'live']);
});

chapter('a set looks again when it is asked to, and its history says what came of it', async () => {
  await admin.getByRole('button', { name: 'Look now' }).click();
  await admin.getByText('it changed nothing').waitFor();
  await admin.getByRole('tab', { name: 'History' }).click();
  await admin.getByText('looked at its branch: 52 made, 2 could become no stack').waitFor();
  await admin.getByText('looked at its branch: 1 without a folder, 2 could become no stack').waitFor();
  await told.sound(admin, 'the history of a stack set');
});

chapter('a change of its patterns is tried before it is written', async () => {
  await admin.getByRole('tab', { name: 'Try a change' }).click();
  await admin.getByRole('combobox', { name: 'But not' }).fill('stacks/pay/r1*');
  await admin.keyboard.press('Enter');
  await admin.getByRole('combobox', { name: 'When a folder is gone' }).click();
  await admin.getByRole('option', { name: 'its stack goes, once empty' }).click();
  await admin.getByRole('button', { name: 'See what would change' }).click();
  await admin.getByRole('status').filter({ hasText: /41 stacks in all: 11 stacks removed, 2 folders without a stack/ }).waitFor();
  await admin.getByRole('row', { name: /would be removed.*stacks\/pay\/r10/ }).waitFor();
  await told.sound(admin, 'a change of a set is tried');
  await picture(admin, 'stackset-try');
  assert.equal((await server.api('GET', '/stack-sets/default/live')).stacks, 52);
});

chapter('a reader sees it all, and nothing to do', async () => {
  const { url } = await server.api('POST', '/signin-links', { user: 'user:default/rita' });
  const rita = await told.person(browser, server.url, url);
  await rita.setViewportSize({ width: 390, height: 800 });
  await rita.goto('/infrastructure/sets/default/live');
  await rita.getByRole('table', { name: 'Folders' }).getByText('stacks/pay/r00', { exact: true }).waitFor();
  assert.equal(await rita.getByRole('button', { name: 'Look now' }).count(), 0);
  const over = await rita.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0);
  await told.sound(rita, 'a stack set on a small screen');
  await picture(rita, 'stackset-narrow');
  await rita.context().close();
});

chapter('what is not there leads to what is', async () => {
  await admin.goto('/infrastructure/sets/default/none');
  await admin.getByText('There is no such stack set').waitFor();
  await told.sound(admin, 'no such stack set');
  await admin.getByRole('link', { name: 'All stack sets' }).click();
  await admin.getByRole('row', { name: /live/ }).waitFor();
  await admin.goto('/infrastructure/default/none');
  await admin.getByText('There is no such stack', { exact: true }).waitFor();
  await admin.goto('/pools/default/none');
  await admin.getByText('There is no such worker pool').waitFor();
});

chapter('nothing broke', () => told.end());
