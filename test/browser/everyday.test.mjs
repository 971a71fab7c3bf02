// What goes wrong on ordinary days, and what people do about it, each in the portal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { launch, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('everyday');
const { chapter } = told;
let server;
let browser;
let alice;

const documents = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {profile: {displayName: Alice}, memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: rita}
spec: {profile: {displayName: Rita}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: alice-develops}
spec: {role: developer, space: default, subjects: ["user:default/alice"]}
---
apiVersion: roadbed.dev/v1
kind: Role
metadata: {name: planner}
spec: {description: 'Sees and plans', permissions: ['run:read', 'stack:read', 'stack:plan', 'entity:read']}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: pia}
spec: {memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: pia-plans}
spec: {role: planner, space: default, subjects: ["user:default/pia"]}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: rita-reads}
spec: {role: reader, space: default, subjects: ["user:default/rita"]}
`;

/** A golden path that fails after it has made a repository, until that holds missing.yaml. */
const halfWay = `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: half, title: Half way}
spec:
  type: service
  owner: user:default/alice
  parameters:
    - title: About it
      required: [name]
      properties:
        name: {type: string, title: Name, pattern: '^[a-z][a-z0-9-]*$'}
        password: {type: string, title: Password, ui:field: Secret}
    - title: More of it
      properties:
        systems: {type: array, title: Systems, items: {type: string}, ui:field: MultiEntityPicker, ui:options: {defaultKind: System}}
  steps:
    - id: fetch
      action: fetch:template
      input: {url: ./skeleton, values: {name: '\${{ parameters.name }}'}}
    - id: publish
      action: publish:roadbed
      input: {repoUrl: 'roadbed?owner=default&repo=\${{ parameters.name }}'}
    - id: register
      action: catalog:register
      input: {repoContentsUrl: '\${{ steps.publish.output.repoContentsUrl }}', catalogInfoPath: /missing.yaml}
`;

const component = (name) => `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ${name}}
spec: {type: service, lifecycle: production, owner: user:default/alice}
`;

const workflow = (command) => `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: work}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: busybox, command: [sh, -c], args: ['${command}']}
`;

const stack = `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: user:default/alice
  source: {repository: default/net, branch: main, path: infra}
`;

const link = async (user) => (await server.api('POST', '/signin-links', { user: `user:default/${user}` })).url;
const submit = async (command) => (await server.api('POST', '/workflows/runs', { document: workflow(command) })).id;

/** Pushes files to a repository, which is made when it is not there, and gives it. */
async function push(name, files) {
  const work = path.join(server.folder, `work-${name}`);
  const git = (...args) =>
    execFileSync('git', args, {
      cwd: fs.existsSync(work) ? work : server.folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'http.extraHeader', GIT_CONFIG_VALUE_0: `Authorization: Bearer ${server.token}` },
    });
  const there = await server.api('GET', `/repositories/default/${name}`).catch(() => undefined);
  if (!there) await server.api('POST', '/repositories', { namespace: 'default', name });
  git('clone', '--quiet', `${server.url}/git/default/${name}.git`, work);
  if (!there) git('switch', '--quiet', '--create', 'main');
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true });
    fs.writeFileSync(path.join(work, file), text);
  }
  git('add', '--all');
  git('-c', 'user.name=Admin', '-c', 'user.email=admin@example.com', 'commit', '--quiet', '--message', 'change');
  git('push', '--quiet', 'origin', 'HEAD');
}

/** Does something with the run on the page by its dialog. */
async function act(page, verb, fill) {
  const direct = page.getByRole('main').getByRole('button', { name: verb, exact: true });
  const more = page.getByRole('main').getByRole('button', { name: 'More', exact: true });
  await direct.first().or(more.first()).first().waitFor();
  if (await direct.count()) await direct.first().click();
  else {
    await more.first().click();
    await page.getByRole('menuitem', { name: verb, exact: true }).click();
  }
  const dialog = page.getByRole('dialog');
  if (fill) await fill(dialog);
  await dialog.getByRole('button', { name: verb, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

before(async () => {
  server = await start();
  browser = await launch();
  await server.api('POST', '/apply', { documents, source: 'test' });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('a code that was pasted signs in where one is; a second window of the browser follows', async () => {
  alice = await told.window(browser, server.url);
  await alice.goto('/runs?show=failed');
  await alice.getByRole('heading', { name: 'Sign in to Roadbed' }).waitFor();
  await told.sound(alice, 'the sign-in page');
  const second = await alice.context().newPage();
  await second.goto('/catalog');
  await second.getByRole('heading', { name: 'Sign in to Roadbed' }).waitFor();
  await alice.getByLabel('Link or code').fill('rbl_wrong');
  await alice.getByRole('button', { name: 'Sign in', exact: true }).click();
  await alice.getByText('You could not be signed in').waitFor();
  await alice.getByLabel('Link or code').fill(await link('alice'));
  await alice.getByRole('button', { name: 'Sign in', exact: true }).click();
  await alice.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
  assert.match(alice.url(), /show=failed/);
  await second.getByRole('heading', { level: 1, name: 'Catalog' }).waitFor();

  // The session ends while somebody works: the next action leads to the form, and after it the page is there again.
  const id = await submit('echo at work; sleep 600');
  await alice.goto(`/runs/${id}`);
  await alice.getByText('at work', { exact: true }).waitFor({ timeout: minute }); // from here on the page has nothing to ask
  const cookies = await alice.context().cookies();
  await alice.context().clearCookies();
  await alice.getByRole('button', { name: 'Cancel', exact: true }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
  await alice.getByLabel('Link or code').fill(await link('alice'));
  await alice.getByRole('button', { name: 'Sign in', exact: true }).click();
  await alice.getByRole('button', { name: 'Cancel', exact: true }).waitFor();
  assert.notDeepEqual(await alice.context().cookies(), cookies);

  // The second window has the proof of the session before; what it does is done all the same.
  await second.goto(`/runs/${id}`);
  await act(second, 'Cancel');
  await alice.getByText('canceled', { exact: true }).first().waitFor();
  await second.close();
});

chapter('a run that failed is retried, and its page goes on by itself', async () => {
  const id = await submit('echo tried; exit 3');
  await alice.goto(`/runs/${id}`);
  await alice.getByText('failed', { exact: true }).first().waitFor({ timeout: minute });
  await alice.getByText('tried', { exact: true }).waitFor();
  await act(alice, 'Retry');
  await alice.getByText('main (attempt 2)').waitFor({ timeout: minute });
  await alice.getByText('tried', { exact: true }).waitFor();
  await act(alice, 'Retry'); // it has ended again, and the page knows
  await alice.getByText('main (attempt 3)').waitFor({ timeout: minute });
  await alice.getByRole('button', { name: 'Retry', exact: true }).waitFor();
});

chapter('a long log is followed, searched, linked to and downloaded, and leaves its reader alone', async () => {
  const id = await submit('i=0; while [ $i -lt 25000 ]; do echo line $i of many; i=$((i+1)); done; printf "\\033[31mred\\033[0m \\377\\n"; echo the end');
  await alice.goto(`/runs/${id}`);
  await alice.getByText('the end', { exact: true }).waitFor({ timeout: minute });
  await alice.getByText(/The first [\d,]+ lines are not shown/).waitFor();
  assert.equal(await alice.getByText('red', { exact: true }).evaluate((e) => e.className !== ''), true);
  await told.sound(alice, 'a long log');
  const log = alice.getByRole('log');
  await log.hover();
  await alice.mouse.wheel(0, -2_000);
  await alice.getByText('the end', { exact: true }).waitFor({ state: 'detached' });
  assert.equal(await alice.getByLabel('Follow').isChecked(), false);
  await alice.getByLabel('Search this log').fill('line 24321 ');
  await alice.getByText('line 24321 of many').waitFor();
  await alice.getByRole('button', { name: /^Link to line/ }).click();
  assert.match(alice.url(), /line=/);
  await alice.goto(alice.url());
  await alice.getByText('line 24321 of many').waitFor(); // the address leads there
  const [file] = await Promise.all([alice.waitForEvent('download'), alice.getByRole('link', { name: 'Download the log' }).click()]);
  const text = fs.readFileSync(await file.path(), 'latin1');
  assert.match(text, /line 0 of many\n/);
  assert.match(text, /\xff\nthe end/);
});

chapter('a plan is discarded', async () => {
  await push('net', { 'infra/main.tf': 'resource "terraform_data" "one" {\n  input = "one"\n}\n' });
  await server.api('POST', '/apply', { documents: stack, source: 'test' });
  await alice.goto('/infrastructure/default/net');
  await alice.getByRole('row').getByRole('link', { name: /Change|run/ }).first().click();
  await alice.getByText('waits for review').first().waitFor({ timeout: 2 * minute });
  await act(alice, 'Discard', (dialog) => dialog.getByLabel(/Note/).fill('not today'));
  await alice.getByText('discarded', { exact: true }).first().waitFor();
  await alice.getByText('not today').first().waitFor();
});

chapter('a golden path that fails half way is continued, and another one undone', async () => {
  await push('paths', { 'half/template.yaml': halfWay, 'half/skeleton/README.md': '# ${{ values.name }}\n' });
  await server.api('POST', '/locations', { repository: 'default/paths', path: 'half/template.yaml' });
  const use = async (name) => {
    await alice.goto('/create');
    await alice.getByRole('link', { name: 'Use Half way' }).click();
    await alice.getByRole('textbox', { name: 'Name' }).fill('No Name');
    await alice.getByLabel('Password', { exact: true }).fill('hush-hush');
    await alice.getByRole('button', { name: 'Next', exact: true }).click();
    await alice.getByText(/takes only small letters, digits and '-', and begins with a letter/).waitFor();
    await alice.getByRole('textbox', { name: 'Name' }).fill(name);
    await alice.getByRole('button', { name: 'Next', exact: true }).click();
    await alice.getByRole('combobox', { name: 'Systems' }).fill('billing');
    await alice.keyboard.press('Enter');
    await alice.getByText('system:default/billing').first().waitFor();
    await alice.keyboard.press('Escape'); // closes what may be chosen besides
    await told.sound(alice, 'a form with pickers');
    await alice.getByRole('button', { name: 'Back', exact: true }).click();
    assert.equal(await alice.getByRole('textbox', { name: 'Name' }).inputValue(), name);
    await alice.getByRole('button', { name: 'Next', exact: true }).click();
    await alice.getByText('system:default/billing').first().waitFor(); // what was chosen is still there
    await alice.getByRole('button', { name: 'Next', exact: true }).click();
    await alice.getByText('••••••').waitFor();
    await alice.goBack();
    await alice.getByRole('combobox', { name: 'Systems' }).waitFor();
    await alice.goForward();
    assert.doesNotMatch(await alice.getByRole('main').innerHTML(), /hush-hush/);
    await alice.getByRole('button', { name: 'Create', exact: true }).click();
    await alice.getByText('failed', { exact: true }).first().waitFor({ timeout: minute });
    await alice.getByText(/Retry to continue, or undo/).first().waitFor();
  };
  await use('shop');
  await push('shop', { 'missing.yaml': component('shop') });
  await act(alice, 'Retry');
  await alice.getByText('finished', { exact: true }).first().waitFor({ timeout: minute });
  await use('bank');
  await told.sound(alice, 'a golden path that failed half way');
  const run = alice.url();
  await act(alice, 'Undo', (dialog) => dialog.getByLabel('Type default/bank to go on').fill('default/bank'));
  await alice.getByText('undone', { exact: true }).first().waitFor({ timeout: minute });
  await alice.goto('/repositories/default/bank');
  await alice.getByRole('alert').waitFor();
  await alice.goto('/git/default/shop'); // as somebody opens the address that they clone
  await alice.getByRole('link', { name: 'README.md' }).click();
  await alice.getByText('Code', { exact: true }).click();
  await alice.getByText('# shop').waitFor();
  await told.sound(alice, 'a file of a repository');

  const rita = await told.person(browser, server.url, await link('rita'));
  await rita.goto(run);
  await rita.getByText('undone', { exact: true }).first().waitFor();
  await rita.goto('/infrastructure/default/net');
  await rita.getByText('default/net').first().waitFor();
  for (const refused of ['Destroy', 'Plan and apply']) assert.equal(await rita.getByRole('button', { name: refused, exact: true }).count(), 0);
  await rita.context().close();
});

chapter('who may only plan is offered only that, and reads no log', async () => {
  const pia = await told.person(browser, server.url, await link('pia'));
  await pia.goto('/infrastructure/default/net');
  await pia.getByRole('button', { name: 'Plan only', exact: true }).waitFor();
  for (const refused of ['Destroy', 'Plan and apply']) assert.equal(await pia.getByRole('button', { name: refused, exact: true }).count(), 0);
  await told.sound(pia, 'a stack for who may only plan it');
  await pia.getByRole('button', { name: 'Plan only', exact: true }).click();
  await pia.getByRole('heading', { level: 1, name: 'Preview of net' }).waitFor();
  await pia.getByRole('tab', { name: 'Steps and logs' }).click(); // a preview that is done shows its plan by itself
  await pia.getByText(/The log can’t be read: run:log in space default is missing/).waitFor({ timeout: minute });
  await pia.context().close();
});

chapter('the palette leads anywhere', async () => {
  await alice.goto('/');
  await alice.getByRole('heading', { level: 1 }).waitFor();
  await alice.keyboard.press('Control+k');
  await alice.getByRole('textbox', { name: 'Where to?' }).fill('shop');
  await alice.getByRole('button', { name: 'shop component:default/shop' }).waitFor();
  await told.sound(alice, 'the palette');
  await alice.getByRole('textbox', { name: 'Where to?' }).fill('work');
  await alice.getByRole('button', { name: /^work/ }).first().click();
  await alice.getByRole('heading', { level: 1, name: 'work' }).waitFor();
  await alice.keyboard.press('Control+k');
  await alice.getByRole('textbox', { name: 'Where to?' }).fill('ledger');
  await alice.getByRole('button', { name: /^Ledger/ }).waitFor();
  await alice.keyboard.press('Enter');
  await alice.getByRole('heading', { level: 1, name: 'Ledger' }).waitFor();
});

chapter('while the server is away the pages stay, say so, and come back by themselves', async () => {
  await alice.goto('/runs');
  await alice.getByRole('link', { name: 'work' }).first().waitFor();
  const rows = await alice.getByRole('row').count();
  await server.away(async () => {
    await alice.getByText('The server can’t be heard').waitFor();
    assert.equal(await alice.getByRole('row').count(), rows);
    await told.sound(alice, 'a page without its server');
  });
  await alice.getByText('The server can’t be heard').waitFor({ state: 'detached', timeout: minute });
  await submit('echo again');
  await alice.getByRole('row').nth(rows).waitFor(); // without a reload
});

chapter('signing out is told only when it is done, and in every window', async () => {
  const second = await alice.context().newPage();
  await second.goto('/catalog');
  await second.getByRole('heading', { level: 1, name: 'Catalog' }).waitFor();
  await alice.route('**/api/v1/session', (route) => route.fulfill({ status: 500, body: '' }));
  await alice.getByRole('button', { name: /^Alice/ }).click();
  await alice.getByRole('menuitem', { name: 'Sign out' }).click();
  await alice.getByRole('alert').getByText('You are still signed in').waitFor();
  assert.equal(await alice.getByRole('menu').getByRole('alert').count(), 0); // which has room for items only
  await told.sound(alice, 'a sign-out that failed');
  await alice.unroute('**/api/v1/session');
  await alice.getByRole('menuitem', { name: 'Sign out' }).click();
  await alice.waitForURL('**/signin');
  await second.getByRole('heading', { name: 'Sign in to Roadbed' }).waitFor();
  await alice.goto('/');
  await alice.getByRole('heading', { name: 'Sign in to Roadbed' }).waitFor();
});

chapter('no page broke', async () => {
  told.end(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|api\/v1\/session|500 \(Internal/);
});
