// The page of a stack's run: what a reviewer sees of a plan, small and of hundreds of resources, its logs, and what became of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { launch, picture, pictures, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('plan');
const { chapter } = told;
let server;
let browser;
let alice;

const documents = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {profile: {displayName: Alice}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: alice-manages}
spec: {role: admin, space: default, subjects: ["user:default/alice"]}
`;

const stack = (name, more = '') => `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: ${name}}
spec:
  owner: user:default/alice
  source: {repository: default/${name}, branch: main}
${more}`;

const hooks = `  hooks:
    beforeInit: ['i=0; while [ $i -lt 60 ]; do echo "prepared $i"; i=$((i+1)); done']
    afterPlan: ['echo looked at']
`;

/** A configuration whose second edition changes something of each sort. */
const shop = (edition) => {
  const first = edition === 1;
  const policy = (actions) => `jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ${JSON.stringify(actions)}, Resource = "*" }] })`;
  const script = (line) => ['#!/bin/sh', 'set -eu', 'apt-get update', 'apt-get install -y nginx', line, 'systemctl enable nginx', 'systemctl start nginx', 'echo ready'].join('\n');
  return {
    'main.tf': `variable "password" {
  type      = string
  sensitive = true
  default   = "${first ? 'hunter2-before' : 'hunter2-after'}"
}
resource "terraform_data" "database" {
  input = { user = "shop", password = var.password }
}
resource "terraform_data" "policy" {
  input = ${policy(first ? ['s3:GetObject', 's3:PutObject'] : ['s3:GetObject', 's3:DeleteObject'])}
}
resource "terraform_data" "server" {
  input = <<-EOT
${script(first ? 'install-site --version 1' : 'install-site --version 2').replaceAll(/^/gm, '    ')}
  EOT
}
resource "terraform_data" "firewall" {
  input = [${(first ? [22, 80, 443] : [80, 443, 8443]).map((p) => `{ port = ${p}, from = ["10.0.0.0/8"] }`).join(', ')}]
}
resource "terraform_data" "disk" {
  input            = "disk"
  triggers_replace = ["size-${first ? 10 : 20}"]
}
${first ? 'resource "terraform_data" "gone" {}\n' : ''}module "network" {
  source = "./network"
  zones  = ${first ? '["a"]' : '["a", "b"]'}
}
`,
    'network/main.tf': `variable "zones" { type = set(string) }
resource "terraform_data" "subnet" {
  for_each = var.zones
  input    = each.key
}
`,
  };
};

const continent = {
  'main.tf': Array.from({ length: 10 }, (_, i) => `resource "terraform_data" "zone${i}" {\n  count = 1000\n  input = "zone ${i}, part \${count.index}"\n}\n`).join(''),
};

const fleet = {
  'main.tf': `resource "terraform_data" "node" {
  for_each = toset([for i in range(600) : format("n%03d", i)])
  input    = { name = each.key, size = "small" }
}
module "spare" {
  source = "./spare"
}
`,
  'spare/main.tf': `resource "terraform_data" "node" {
  for_each = toset([for i in range(25) : format("s%03d", i)])
  input    = each.key
}
`,
};

/** Pushes files to a repository, which is made when it is not there. */
async function push(name, files) {
  const work = path.join(server.folder, `work-${name}`);
  const git = (...args) =>
    execFileSync('git', args, {
      cwd: fs.existsSync(work) ? work : server.folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'http.extraHeader', GIT_CONFIG_VALUE_0: `Authorization: Bearer ${server.token}` },
    });
  if (!fs.existsSync(work)) {
    await server.api('POST', '/repositories', { namespace: 'default', name });
    git('clone', '--quiet', `${server.url}/git/default/${name}.git`, work);
    git('switch', '--quiet', '--create', 'main');
  }
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true });
    fs.writeFileSync(path.join(work, file), text);
  }
  git('add', '--all');
  git('-c', 'user.name=Admin', '-c', 'user.email=admin@example.com', 'commit', '--quiet', '--message', 'change');
  git('push', '--quiet', 'origin', 'HEAD');
}

/** Opens the newest run of a stack, and waits until it waits for review. */
async function review(name, before) {
  for (;;) {
    const { items } = await server.api('GET', `/runs?subject=stack:default/${name}&limit=5`);
    const run = items.find((r) => r.id !== before && r.state === 'unconfirmed');
    if (run) {
      await alice.goto(`/runs/${run.id}`);
      return run.id;
    }
    assert.ok(!items.some((r) => r.state === 'failed'), JSON.stringify(items));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function confirm() {
  await alice.getByRole('main').getByRole('button', { name: 'Confirm', exact: true }).click();
  await alice.getByRole('dialog').getByRole('button', { name: 'Confirm', exact: true }).click();
  await alice.getByRole('heading', { level: 1 }).locator('..').getByText('finished', { exact: true }).waitFor({ timeout: 2 * minute });
}

/** The part of a plan that is about a resource, opened. */
async function opened(address) {
  const one = alice.getByRole('group').filter({ has: alice.getByText(address, { exact: true }) });
  if ((await one.getAttribute('open')) === null) await one.getByText(address, { exact: true }).click();
  await one.getByRole('table').or(one.getByRole('paragraph')).first().waitFor();
  return one;
}

before(async () => {
  server = await start();
  browser = await launch();
  await server.api('POST', '/apply', { documents, source: 'test' });
  alice = await told.person(browser, server.url, (await server.api('POST', '/signin-links', { user: 'user:default/alice' })).url);
}, { timeout: minute });

after(async () => {
  await browser?.close();
  await server?.stop();
});

let first;
chapter('the log of a step is folded by its phases', async () => {
  await push('shop', shop(1));
  await server.api('POST', '/apply', { documents: stack('shop', hooks), source: 'test' });
  first = await review('shop');
  await alice.getByRole('tab', { name: 'Steps and logs' }).click();
  await alice.getByRole('button', { name: /^Plan\s*succeeded/ }).click();
  const log = alice.getByRole('log');
  const phase = (name) => log.getByRole('button', { name });
  await log.getByText(/^── done/).waitFor();
  await log.getByText(/Plan: \d+ to add/).waitFor(); // what the step is for is open, and read from its end
  await pictures(alice, 'log-end');
  await log.focus();
  await alice.keyboard.press('Home');
  await phase(/^hooks before init 61 lines/i).waitFor();
  await phase(/^plan \d+ lines/i).click();
  assert.deepEqual(
    (await log.getByRole('button', { expanded: false }).allInnerTexts()).map((t) => t.split('\n')[0].toLowerCase()),
    ['hooks before init', 'init', 'plan'],
  );
  await phase(/^plan \d+ lines/i).click();
  assert.equal(await log.getByText('prepared 59', { exact: true }).count(), 0);
  await told.sound(alice, 'a log of phases');
  await pictures(alice, 'log-folded');

  await phase(/^init \d+ lines [\d.]+ m?s$/i).waitFor();
  await phase(/^hooks before init/i).click();
  await log.getByText('prepared 0', { exact: true }).waitFor();
  await phase(/^hooks before init/i).click();
  await log.getByText('prepared 0', { exact: true }).waitFor({ state: 'detached' });

  // What is sought is found in a fold, and its address opens it.
  await alice.getByLabel('Search this log').fill('prepared 42');
  await log.getByText('prepared 42', { exact: true }).waitFor();
  await log.getByRole('button', { name: /^Link to line/ }).click();
  assert.match(alice.url(), /line=/);
  await alice.goto(alice.url());
  await log.getByText('prepared 42', { exact: true }).waitFor();
  assert.equal(await phase(/^hooks before init/i).getAttribute('aria-expanded'), 'true');
  await alice.getByRole('button', { name: 'Open all' }).click();
  await log.getByText('prepared 59', { exact: true }).waitFor();
  assert.equal(await log.getByRole('button', { expanded: false }).count(), 0);
  await alice.getByRole('button', { name: 'Fold all' }).click();
  await phase(/^hooks after plan/i).waitFor();
  assert.equal(await log.getByRole('button', { expanded: true }).count(), 0);
});

chapter('what became of a run is told at a glance', async () => {
  await alice.goto(`/runs/${first}`);
  const line = alice.getByRole('list', { name: 'What became of it' });
  await line.getByText('waits for review').waitFor();
  await confirm();
  await line.getByText('finished').waitFor();
  const said = (await line.getByRole('listitem').allInnerTexts()).map((t) => t.split('\n')[0]);
  assert.deepEqual(said, ['created', 'planning', 'judging', 'waits for review', 'confirmed', 'applying', 'finished']);
  assert.match(await line.getByRole('listitem').filter({ hasText: 'confirmed' }).innerText(), /Alice/);
  await told.sound(alice, 'a run that is finished');
  await pictures(alice, 'run-timeline');
});

chapter('a plan tells what changes within policies, scripts, lists and secrets, and what forces a replacement', async () => {
  await push('shop', shop(2));
  await review('shop', first);
  const database = await opened('terraform_data.database');
  const policy = await opened('terraform_data.policy');
  await policy.getByRole('row', { name: /^input\.Statement\[0\]\.Action\[1\] s3:PutObject s3:DeleteObject$/ }).waitFor();
  const script = await opened('terraform_data.server');
  const lines = await script.getByRole('figure').innerText();
  assert.match(lines, /^-install-site --version 1$/m);
  assert.match(lines, /^\+install-site --version 2$/m);
  assert.doesNotMatch(lines, /#!/);
  const firewall = await opened('terraform_data.firewall');
  assert.equal(await firewall.getByRole('row', { name: /^input\[/ }).count(), 2); // what stays is not told
  await firewall.getByRole('row', { name: /^input\[0\] .*22/ }).waitFor();
  await firewall.getByRole('row', { name: /^input\[2\] .*8443/ }).waitFor();
  const disk = await opened('terraform_data.disk');
  await disk.getByText('What forces the replacement: triggers_replace').waitFor();
  await disk.getByText('forces replacement', { exact: true }).waitFor();
  await disk.getByText(/can’t be changed in place/).waitFor();
  const gone = await opened('terraform_data.gone');
  await gone.getByText(/it is not in the code any more/).waitFor();
  await database.getByRole('row', { name: 'input.password (sensitive value) (sensitive value, changed)' }).waitFor();
  assert.ok(!(await alice.content()).includes('hunter2-after'));
  await told.sound(alice, 'a plan of many sorts');
  await pictures(alice, 'plan-details');
  await picture(alice, 'plan');
});

chapter('a plan is filtered by module, and the address keeps that', async () => {
  const change = (address) => alice.getByText(address, { exact: true });
  await alice.getByRole('combobox', { name: 'Of which module' }).click();
  await alice.getByRole('option', { name: 'network (1)' }).click();
  await change('module.network.terraform_data.subnet["b"]').waitFor();
  await change('terraform_data.disk').waitFor({ state: 'detached' });
  assert.match(alice.url(), /module=module\.network/);
  await told.sound(alice, 'a plan of one module');
  await alice.goto(alice.url());
  await change('module.network.terraform_data.subnet["b"]').waitFor();
  assert.equal(await change('terraform_data.disk').count(), 0);
  await alice.getByRole('combobox', { name: 'Of which module' }).click();
  await alice.getByRole('option', { name: 'All modules' }).click();
  await change('terraform_data.disk').waitFor();
});

chapter('a plan of hundreds of resources is searched, filtered and read to its end', async () => {
  await push('fleet', fleet);
  await server.api('POST', '/apply', { documents: stack('fleet'), source: 'test' });
  await review('fleet');
  const list = alice.getByRole('region', { name: 'Changes', exact: true });
  await list.getByText('terraform_data.node["n000"]', { exact: true }).waitFor();
  await alice.getByText('625 created').first().waitFor();
  assert.ok((await list.getByRole('group').count()) < 100, 'only what is in sight is drawn');
  await told.sound(alice, 'a plan of hundreds');
  await pictures(alice, 'plan-long');

  // To the last one, by the keyboard; opening it draws what it holds, and it stays open when its reader comes back.
  await list.focus();
  await alice.keyboard.press('End');
  const last = list.getByRole('group').filter({ hasText: 'module.spare.terraform_data.node["s024"]' });
  await last.waitFor();
  await last.getByText('module.spare.terraform_data.node["s024"]', { exact: true }).click();
  await last.getByRole('row', { name: /^input\s+s024$/ }).waitFor();
  await list.focus();
  await alice.keyboard.press('Home');
  await last.waitFor({ state: 'detached' });
  await alice.keyboard.press('End');
  await last.getByRole('row', { name: /^input\s+s024$/ }).waitFor();

  await alice.getByLabel('Filter by address or type').fill('n59');
  await alice.getByText('terraform_data.node["n590"]', { exact: true }).waitFor();
  assert.equal(await alice.getByRole('group').filter({ hasText: 'terraform_data.node' }).count(), 10);
  await alice.getByLabel('Filter by address or type').fill('');
  await alice.getByRole('combobox', { name: 'Of which module' }).click();
  await alice.getByRole('option', { name: 'spare (25)' }).click();
  await alice.getByText('module.spare.terraform_data.node["s024"]', { exact: true }).waitFor();
  assert.equal(await alice.getByRole('group').filter({ hasText: 'terraform_data.node' }).count(), 25);
});

chapter('a plan of ten thousand resources is searched and read to its end as one of a few is', async () => {
  await push('continent', continent);
  await server.api('POST', '/apply', { documents: stack('continent'), source: 'test' });
  await review('continent');
  const list = alice.getByRole('region', { name: 'Changes', exact: true });
  await list.getByText('terraform_data.zone0[0]', { exact: true }).waitFor({ timeout: minute });
  await alice.getByText(/^10,?000 created$/).first().waitFor();
  assert.ok((await list.getByRole('group').count()) < 100, 'only what is in sight is drawn');
  await told.sound(alice, 'a plan of ten thousand');
  await pictures(alice, 'plan-huge');
  await list.focus();
  await alice.keyboard.press('End');
  const last = list.getByRole('group').filter({ hasText: 'terraform_data.zone9[999]' });
  await last.getByText('terraform_data.zone9[999]', { exact: true }).click();
  await last.getByRole('row', { name: /^input\s+zone 9, part 999$/ }).waitFor();
  await alice.getByLabel('Filter by address or type').fill('[777]');
  await alice.getByText('terraform_data.zone4[777]', { exact: true }).waitFor();
  assert.equal(await alice.getByRole('group').filter({ hasText: 'terraform_data.zone' }).count(), 10);
});

chapter('a task is run, and drift looked for and reconciled', async () => {
  await alice.goto('/infrastructure/default/shop');
  await alice.getByRole('button', { name: 'More', exact: true }).click();
  await alice.getByRole('menuitem', { name: 'Look for drift', exact: true }).waitFor();
  await told.sound(alice, 'what may be done with a stack');
  await alice.getByRole('menuitem', { name: 'Run a task…' }).click();
  const dialog = alice.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Command' }).fill('echo "it\'s $((40 + 2))"; tofu state list');
  await told.sound(alice, 'the command of a task');
  await pictures(alice, 'stack-task');
  await dialog.getByRole('button', { name: 'Run it', exact: true }).click();
  await alice.getByRole('heading', { level: 1, name: /shop/ }).waitFor();
  await alice.getByRole('tab', { name: 'Steps and logs' }).click();
  // It waits for the run before it, which somebody discards.
  const { items } = await server.api('GET', '/runs?subject=stack:default/shop&limit=5');
  for (const waits of items.filter((r) => r.state === 'unconfirmed')) await server.api('POST', `/runs/${waits.id}/discard`, { note: '' });
  await alice.getByText("it's 42", { exact: true }).waitFor({ timeout: minute });
  await alice.getByRole('log').getByText('terraform_data.database', { exact: true }).waitFor({ timeout: minute });

  await alice.goto('/infrastructure/default/shop');
  await alice.getByRole('button', { name: 'More', exact: true }).click();
  await alice.getByRole('menuitem', { name: 'Run a task…' }).click();
  await dialog.getByRole('textbox', { name: 'Command' }).fill('test ! -e "$TF_DATA_DIR"/terraform.tfstate; echo bare');
  await dialog.getByRole('checkbox', { name: 'Without init' }).check();
  await dialog.getByRole('button', { name: 'Run it', exact: true }).click();
  await alice.getByRole('heading', { level: 1, name: /shop/ }).waitFor();
  await alice.getByRole('tab', { name: 'Steps and logs' }).click();
  await alice.getByText('roadbed: the init is skipped, with its hooks', { exact: true }).waitFor({ timeout: minute });
  await alice.getByRole('log').getByText('bare', { exact: true }).waitFor({ timeout: minute });

  await alice.goto('/infrastructure/default/shop');
  await alice.getByRole('button', { name: 'More', exact: true }).click();
  await alice.getByRole('menuitem', { name: 'Look for drift and reconcile…' }).click();
  await alice.getByRole('dialog').getByText(/it waits for a review/).waitFor();
  await told.sound(alice, 'drift that is reconciled');
  await alice.getByRole('dialog').getByRole('button', { name: 'Look and reconcile' }).click();
  await alice.getByRole('heading', { level: 1, name: /drift/i }).waitFor();
  await alice.getByRole('list', { name: 'What became of it' }).getByText('finished').waitFor({ timeout: minute });
  const run = await server.api('GET', `/runs/${alice.url().split('/').at(-1).split('?')[0]}`);
  assert.equal(run.input.reconcile, true);
});

chapter('nothing was broken, or hard to use', async () => told.end());
