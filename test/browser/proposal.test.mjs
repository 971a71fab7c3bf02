// A change is proposed, looked at by somebody else, mended and merged, all in the portal but the pushes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('proposal');
const { chapter } = told;
let server;
let browser;
let alice;
let bob;
let work;

const person = (name) => `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ${name.toLowerCase()}}
spec: {profile: {displayName: ${name}}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: ${name.toLowerCase()}-develops}
spec: {role: developer, space: default, subjects: ["user:default/${name.toLowerCase()}"]}
`;

const rule = `apiVersion: roadbed.dev/v1
kind: BranchRule
metadata: {name: main}
spec: {push: proposals, approvals: 1, fresh: true, talks: true, ways: [squash, merge]}
`;

const program = (name) => `package main

import "fmt"

// main greets.
func main() {
	fmt.Println("hello ${name}")
}
`;

const component = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shop}
spec: {type: service, lifecycle: production, owner: "user:default/bob"}
`;

const git = (token, ...args) =>
  execFileSync('git', args, {
    cwd: fs.existsSync(work) ? work : server.folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'http.extraHeader', GIT_CONFIG_VALUE_0: `Authorization: Bearer ${token}` },
  });

/** Commits files on a branch, from the one that is there, and pushes it as somebody. */
function push(token, branch, message, files) {
  const here = git(token, 'branch', '--show-current').trim();
  if (here !== branch) git(token, 'switch', '--quiet', '--create', branch);
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(work, file), text);
  git(token, 'add', '--all');
  git(token, '-c', 'user.name=Alice', '-c', 'user.email=alice@example.com', 'commit', '--quiet', '--message', message);
  git(token, 'push', '--quiet', 'origin', branch);
}

const tokenOf = async (name) => (await server.api('POST', '/tokens', { name: 'test', owner: `user:default/${name}` })).secret;
let token;

before(async () => {
  server = await start();
  browser = await launch();
  work = path.join(server.folder, 'work');
  await server.api('POST', '/apply', { documents: `${person('Alice')}---\n${person('Bob')}`, source: 'test' });
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'shop' });
  token = await tokenOf('alice');
  git(token, 'clone', '--quiet', `${server.url}/git/crew/shop.git`, work);
  push(token, 'main', 'First', { 'main.go': program('world'), 'README.md': '# Shop\n', 'catalog-info.yaml': component });
  await server.api('POST', '/locations', { repository: 'crew/shop' });
  for (let found; !found; ) {
    found = await server.api('GET', '/entities/component/default/shop').catch(() => new Promise((again) => setTimeout(again, 100)));
  }
  push(token, 'greeting', 'Greet people', { 'main.go': program('people'), 'new.txt': 'new\n' });
  for (const name of ['alice', 'bob']) {
    const { url } = await server.api('POST', '/signin-links', { user: `user:default/${name}` });
    const page = await told.person(browser, server.url, url);
    if (name === 'alice') alice = page;
    else bob = page;
  }
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const main = (page) => page.getByRole('main');

chapter('Alice proposes what she pushed', async () => {
  await alice.goto('/repositories/crew/shop?tab=proposals');
  await main(alice).getByText('No proposals').waitFor();
  await told.sound(alice, 'a repository without proposals');
  await alice.getByRole('tab', { name: 'Files' }).click();
  await main(alice).getByRole('heading', { level: 1, name: 'Shop', exact: true }).waitFor(); // the README
  await told.sound(alice, 'a repository with its README');
  await alice.getByRole('tab', { name: 'Branches' }).click();
  await main(alice).getByRole('row', { name: /^greeting/ }).waitFor();
  await told.sound(alice, 'the branches of a repository');
  await alice.getByRole('tab', { name: 'Proposals' }).click();
  await main(alice).getByRole('link', { name: 'Open one' }).click();
  await alice.getByRole('textbox', { name: 'Branch' }).fill('none');
  await alice.getByRole('button', { name: 'Open it' }).click();
  await alice.getByRole('alert').getByText('find the source').waitFor();
  await alice.getByRole('textbox', { name: 'Branch' }).fill('greeting');
  await alice.getByLabel('Why').fill('People are **more** than a world.\n\n- [x] tried');
  await told.sound(alice, 'the form of a proposal');
  await alice.getByRole('button', { name: 'Open it' }).click();
  await alice.waitForURL('**/repositories/crew/shop/proposals/1');
  await alice.getByRole('heading', { level: 1, name: 'Greet people' }).waitFor();
  await main(alice).locator('strong', { hasText: 'more' }).waitFor();
  await main(alice).getByText('Nothing is in the way').waitFor();
  const touches = main(alice).getByRole('list', { name: 'Touches' });
  await touches.getByRole('link', { name: 'component shop' }).waitFor();
  await touches.getByRole('link', { name: 'bob' }).waitFor(); // whose it is
  await told.sound(alice, 'a proposal');
});

chapter('Bob looks at its lines and asks for changes', async () => {
  await bob.getByRole('navigation').getByRole('link', { name: 'Proposals' }).click();
  await told.sound(bob, 'the list of proposals');
  await main(bob).getByRole('link', { name: 'Greet people' }).click();
  await bob.getByRole('tab', { name: 'Changes' }).click();
  const file = bob.getByRole('region', { name: 'main.go', exact: true });
  await file.getByText('hello people').waitFor();
  await bob.getByText('Side by side').click();
  await file.getByText('hello world').waitFor();
  await picture(bob, 'proposal');
  await told.sound(bob, 'changes side by side');
  await file.getByRole('button', { name: 'Say something of line 7 of main.go' }).click();
  await bob.getByRole('textbox', { name: 'Of line 7' }).fill('All of them?');
  await bob.getByRole('button', { name: 'Keep it for a review' }).click();
  await bob.getByText('You, with your review').waitFor();
  await bob.getByRole('button', { name: 'Review with 1 comments' }).click();
  const dialog = bob.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'Ask for changes' }).check();
  await dialog.getByRole('textbox', { name: 'Why' }).fill('Whom do you mean?');
  await told.sound(bob, 'the dialog of a review');
  await dialog.getByRole('button', { name: 'Send with 1 comment' }).click();
  await dialog.waitFor({ state: 'detached' });
  await file.getByText('All of them?').waitFor();
});

chapter('Alice sees it at once, answers, and pushes again', async () => {
  await main(alice).getByText('changes are asked for by 1 of the reviewers').waitFor();
  await main(alice).getByText('Whom do you mean?').waitFor();
  const talk = main(alice).getByRole('article', { name: 'Bob said' }).filter({ hasText: 'All of them?' });
  await talk.waitFor();
  await main(alice).getByRole('button', { name: 'Answer', exact: true }).click();
  await alice.getByRole('textbox', { name: 'Answer' }).fill('Those who buy.');
  await main(alice).getByRole('button', { name: 'Answer', exact: true }).click();
  await main(alice).getByText('Those who buy.').waitFor();
  await main(alice).getByRole('button', { name: 'Settle it' }).click();
  await main(alice).getByText('settled by Alice').waitFor();
  push(token, 'greeting', 'Greet buyers', { 'main.go': program('buyers') });
  await main(alice).getByText('2 commits, 0 behind').waitFor();
  await told.sound(alice, 'a talk that is settled');
});

chapter('Bob suggests another line, and Alice commits it', async () => {
  await bob.goto('/repositories/crew/shop/proposals/1?tab=files');
  const file = bob.getByRole('region', { name: 'main.go', exact: true });
  await file.getByText('hello buyers').waitFor();
  await bob.getByRole('checkbox', { name: 'Viewed new.txt' }).check();
  await bob.getByText('1 of 2 viewed').waitFor();
  await file.getByRole('button', { name: 'Say something of line 7 of main.go' }).click();
  await bob.getByRole('button', { name: 'Suggest other lines' }).click();
  const words = bob.getByRole('textbox', { name: 'Of line 7' });
  await words.fill((await words.inputValue()).replace('buyers', 'all'));
  await bob.getByRole('button', { name: 'Say it now' }).click();
  await file.getByRole('region', { name: 'Suggestion' }).getByText('all').first().waitFor();
  await told.sound(bob, 'a suggestion');
  await alice.goto('/repositories/crew/shop/proposals/1');
  await main(alice).getByRole('button', { name: 'Commit suggestion' }).click();
  await main(alice).getByText('3 commits, 0 behind').waitFor();
  await main(alice).getByRole('textbox', { name: 'Say something' }).fill('/title Greet everybody\n/assign @bob');
  await main(alice).getByRole('button', { name: 'Comment' }).click();
  await main(alice).getByText('bob looks after it').waitFor();
  await alice.getByRole('heading', { level: 1, name: 'Greet everybody' }).waitFor();
  await told.sound(alice, 'what a comment commanded');
});

chapter('Bob finds what waits for him, and what is new since his review', async () => {
  await bob.goto('/');
  await main(bob).getByRole('link', { name: 'Greet everybody' }).waitFor();
  await bob.goto('/proposals?show=waiting');
  await main(bob).getByRole('link', { name: 'Greet everybody' }).click();
  await bob.getByRole('tab', { name: 'Changes' }).click();
  await bob.getByText('1 of 2 viewed').waitFor();
  await bob.getByRole('combobox', { name: 'Which changes' }).click();
  await bob.getByRole('option', { name: /^Since my review of/ }).click();
  await bob.getByText('1 file', { exact: true }).waitFor();
  await bob.getByRole('region', { name: 'main.go', exact: true }).getByText('hello all').waitFor();
  await told.sound(bob, 'what is new since a review');
  await bob.locator('[data-file]').first().focus();
  await bob.keyboard.press('?');
  await bob.getByRole('dialog', { name: 'Keys' }).waitFor();
  await bob.keyboard.press('Escape');
});

chapter('By the rule it takes an approval of what it is now', async () => {
  await server.api('POST', '/apply', { documents: rule, source: 'rules' });
  assert.throws(() => {
    git(token, 'switch', '--quiet', 'main');
    push(token, 'main', 'Past the rule', { 'README.md': '# Past\n' });
  }, /moved by proposals only/);
  await bob.goto('/repositories/crew/shop/proposals/1?tab=files');
  await bob.getByRole('region', { name: 'main.go', exact: true }).getByText('hello all').waitFor();
  await bob.getByRole('button', { name: 'Review', exact: true }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
  await bob.getByRole('dialog').waitFor({ state: 'detached' });
  await alice.goto('/repositories/crew/shop/proposals/1');
  await main(alice).getByText('Nothing is in the way').waitFor();
  await main(alice).getByRole('link', { name: 'main', exact: true }).waitFor(); // the rule
  await main(alice).getByLabel('Title of the commit').fill('Greet those who buy');
  await main(alice).getByRole('button', { name: 'Merge', exact: true }).click();
  await main(alice).getByText('merged by Alice').waitFor();
  await told.sound(alice, 'a merged proposal');
  await alice.goto('/repositories/crew/shop?tab=commits');
  await main(alice).getByText('Greet those who buy').waitFor();
});

chapter('Alice takes it back', async () => {
  await alice.goto('/repositories/crew/shop/proposals/1');
  await main(alice).getByRole('button', { name: 'Revert' }).click();
  await alice.getByRole('heading', { level: 1, name: 'Revert "Greet everybody"' }).waitFor();
  await alice.getByRole('tab', { name: 'Changes' }).click();
  await alice.getByRole('region', { name: 'main.go', exact: true }).getByText('hello world').waitFor();
  await told.sound(alice, 'a revert');
});

chapter('On a phone it can be read as well', async () => {
  await alice.setViewportSize({ width: 390, height: 844 });
  await alice.goto('/repositories/crew/shop/proposals/1?tab=files');
  await alice.getByRole('region', { name: 'main.go', exact: true }).getByText('hello all').waitFor();
  const wider = await alice.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `the page is ${wider} pixels wider than the screen`);
  await told.sound(alice, 'changes on a phone');
});

chapter('Nothing broke, and everybody could use it', () => told.end());
