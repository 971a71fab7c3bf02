// A repository is read, searched, edited and tagged in the portal, and an edit becomes a proposal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('repository');
const { chapter } = told;
let server;
let browser;
let page;
let work;

const git = (...args) =>
  execFileSync('git', args, {
    cwd: fs.existsSync(work) ? work : server.folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'Alice',
      GIT_AUTHOR_EMAIL: 'alice@example.com',
      GIT_COMMITTER_NAME: 'Alice',
      GIT_COMMITTER_EMAIL: 'alice@example.com',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: Bearer ${server.token}`,
    },
  });

function commit(message, files) {
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true });
    fs.writeFileSync(path.join(work, file), text);
  }
  git('add', '--all');
  git('commit', '--quiet', '--message', message);
  git('push', '--quiet', 'origin', 'HEAD');
}

const dot = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const readme = `# Shop

It sells. See the [guide](docs/guide.md#how), and [all of them](docs).

![a dot](docs/dot.png)

    roadbed repo upload crew/shop logo.png banner.png --to docs/images --branch pictures --from main
`;
const program = (name) => `package main

import "fmt"

// main greets.
func main() {
	fmt.Println("hello ${name}")
}
`;

before(async () => {
  server = await start();
  browser = await launch();
  work = path.join(server.folder, 'work');
  for (const name of ['shop', 'empty']) await server.api('POST', '/repositories', { namespace: 'crew', name });
  git('clone', '--quiet', `${server.url}/git/crew/shop.git`, work);
  git('switch', '--quiet', '--orphan', 'main');
  commit('First', { 'README.md': readme, 'cmd/shop/main.go': program('world'), 'docs/guide.md': '# Guide\n\nHow to sell.\n', 'docs/dot.png': dot, 'windows.txt': 'one\r\ntwo' });
  commit('Greet people', { 'cmd/shop/main.go': program('people'), 'data.bin': Buffer.from([0, 1, 2]) });
  page = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const main = () => page.getByRole('main');
const shop = '/repositories/crew/shop';

chapter('Repositories are listed, and narrowed in the address', async () => {
  await page.goto('/repositories');
  await main().getByRole('link', { name: 'crew/shop' }).waitFor();
  await told.sound(page, 'the list of repositories');
  await main().getByRole('textbox', { name: 'Name or description' }).fill('nothing like it');
  await main().getByText('No repository is like that').waitFor();
  assert.match(page.url(), /text=nothing/);
  await main().getByRole('link', { name: 'Show all in use' }).click();
  await main().getByRole('link', { name: 'crew/empty' }).click();
  await main().getByText('Nothing was pushed yet').waitFor();
  await told.sound(page, 'an empty repository');
});

chapter('A folder tells the last commit of each entry, and shows its README', async () => {
  await page.goto(shop);
  const files = main().getByRole('table', { name: 'Files' });
  await files.getByRole('row', { name: /^cmd Greet people/ }).waitFor();
  await files.getByRole('row', { name: /^docs First/ }).waitFor();
  await main().getByRole('heading', { level: 1, name: 'Shop', exact: true }).waitFor();
  const dots = main().getByRole('img', { name: 'a dot' });
  await dots.waitFor();
  assert.equal(await dots.evaluate((img) => img.complete && img.naturalWidth), 1);
  await told.sound(page, 'a folder with its README');
  await picture(page, 'repository');
  await main().getByRole('link', { name: 'guide', exact: true }).click();
  await main().getByText('How to sell.').waitFor();
  await page.goBack();
  await main().getByRole('link', { name: 'all of them' }).click();
  await main().getByRole('row', { name: /^guide.md First/ }).waitFor();
});

chapter('A file is found by its name, and its lines have addresses', async () => {
  await page.goto(shop);
  await main().getByRole('table', { name: 'Files' }).waitFor();
  await page.keyboard.press('t');
  await page.getByRole('option', { name: 'cmd/shop/main.go' }).waitFor();
  await told.sound(page, 'go to file');
  await page.getByRole('combobox', { name: 'Characters of its path' }).fill('shopmain');
  await page.keyboard.press('Enter'); // at once: it is of what was typed, not of what is still shown
  await main().locator('.tok-keyword', { hasText: 'package' }).waitFor();
  await main().getByRole('link', { name: 'Line 6', exact: true }).click();
  await main().getByRole('link', { name: 'Line 8', exact: true }).click({ modifiers: ['Shift'] });
  await page.waitForURL(/#L6-L8$/);
  assert.equal(await main().locator('[data-chosen]').count(), 3);
  await told.sound(page, 'a file');
  await page.keyboard.press('y');
  await page.waitForURL(/ref=[0-9a-f]{40}.*#L6-L8$/);
});

chapter('Blame tells who wrote a line, and what it was before', async () => {
  await page.goto(`${shop}?path=cmd/shop/main.go&look=blame`);
  await main().getByRole('link', { name: 'Greet people' }).waitFor();
  await main().getByRole('link', { name: 'First' }).first().waitFor();
  await told.sound(page, 'blame');
  await main().getByRole('link', { name: 'Blame before the change of line 7' }).click();
  await main().getByText('hello world').waitFor();
  assert.equal(await main().getByRole('link', { name: 'Greet people' }).count(), 0);
  await page.goto(`${shop}?path=cmd/shop/main.go&look=history`);
  await main().getByRole('link', { name: 'Greet people' }).click();
  await main().getByRole('heading', { name: 'Greet people' }).waitFor();
  await main().getByRole('region', { name: 'cmd/shop/main.go', exact: true }).getByText('hello people').waitFor();
  await told.sound(page, 'a commit');
});

chapter('Texts are found, by words and by expressions', async () => {
  await page.goto(`${shop}?tab=search`);
  await main().getByRole('textbox', { name: 'Text to look for' }).fill('HELLO');
  await page.keyboard.press('Enter');
  await main().getByRole('link', { name: 'cmd/shop/main.go' }).waitFor();
  assert.equal(await main().locator('mark').innerText(), 'hello');
  await told.sound(page, 'what was found');
  await page.goto(`${shop}?tab=search&text=%5E(one%7Ctwo)&regex=true&in=*.txt`);
  await main().getByRole('link', { name: 'windows.txt' }).waitFor();
  await page.goto(`${shop}?tab=search&text=(&regex=true`);
  await main().getByText('is not a regular expression').waitFor();
  await page.goto(`${shop}?tab=search&text=nowhere`);
  await main().getByText('Nothing was found').waitFor();
});

chapter('An edit becomes a proposal, and keeps every byte that nobody touched', async () => {
  await page.goto(`${shop}?path=windows.txt`);
  await main().getByRole('link', { name: 'Edit the file' }).click();
  const editor = page.getByRole('textbox', { name: 'Text of windows.txt' });
  await editor.waitFor();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type('zero');
  await page.keyboard.press('Enter');
  await page.getByText('What changes', { exact: true }).click();
  await main().getByText('zero').last().waitFor();
  await told.sound(page, 'an edit');
  await page.getByRole('textbox', { name: 'Message' }).fill('Count from zero');
  await page.getByRole('textbox', { name: 'Name of the branch' }).fill('zero');
  await page.getByRole('button', { name: 'Commit and propose' }).click();
  await page.waitForURL('**/crew/shop/proposals/1');
  await page.getByRole('heading', { level: 1, name: 'Count from zero' }).waitFor();
  git('fetch', '--quiet', 'origin');
  assert.equal(git('show', 'origin/zero:windows.txt'), 'zero\r\none\r\ntwo');
});

chapter('A file that was changed meanwhile is not overwritten', async () => {
  await page.goto(`${shop}?path=README.md&look=edit`);
  await page.getByRole('textbox', { name: 'Text of README.md' }).waitFor();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('Mine.');
  commit('Theirs', { 'README.md': `${readme}\nTheirs.\n` });
  await page.getByRole('radio', { name: /Straight to main/ }).check();
  await page.getByRole('button', { name: 'Commit', exact: true }).click();
  await main().getByText('was changed meanwhile').first().waitFor();
  await told.sound(page, 'a conflict');
  await page.getByRole('button', { name: 'Compare with the newest' }).click();
  await page.getByText('What changes', { exact: true }).click();
  await main().getByText('Theirs.').waitFor();
  page.once('dialog', (d) => d.accept());
  await page.getByRole('link', { name: 'Leave it' }).click();
  await main().getByRole('heading', { level: 1, name: 'Shop', exact: true }).waitFor();
});

chapter('A file that the platform reads is checked while it is written', async () => {
  await page.goto(`${shop}?path=catalog-info.yaml&look=new`);
  await page.getByRole('textbox', { name: /^Text of/ }).filter({ hasText: 'kind: Component' }).waitFor(); // what is suggested
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('kind: Component');
  await main().getByText('The platform could not use it as it is').waitFor();
  await told.sound(page, 'a file with findings');
  page.once('dialog', (d) => d.accept());
  await page.getByRole('link', { name: 'Leave it' }).click();
  await main().getByRole('table', { name: 'Files' }).waitFor();
});

chapter('A new file, and one that goes', async () => {
  await page.goto('/repositories/crew/empty');
  await main().getByRole('link', { name: 'Write its README here' }).click();
  await page.getByRole('textbox', { name: /^Text of/ }).waitFor();
  await page.keyboard.type('# Begun');
  await page.getByRole('button', { name: 'Commit', exact: true }).click();
  await main().getByRole('heading', { level: 1, name: 'Begun', exact: true }).waitFor();
  await page.goto('/repositories/crew/empty?path=README.md&look=delete');
  await page.getByRole('radio', { name: /Straight to main/ }).check();
  await page.getByRole('button', { name: 'Commit', exact: true }).click();
  await main().getByText('An empty folder').waitFor();
});

chapter('Files are uploaded, whatever is in them, and that becomes a proposal', async () => {
  await page.goto(`${shop}?path=docs/`);
  await main().getByRole('button', { name: 'More of this folder' }).click();
  await page.getByRole('menuitem', { name: 'Upload files here' }).click();
  const choose = page.locator('input[type=file]');
  await choose.setInputFiles([
    { name: 'logo.png', mimeType: 'image/png', buffer: every },
    { name: 'dot.png', mimeType: 'image/png', buffer: every },
    { name: 'config', mimeType: 'text/plain', buffer: Buffer.from('x') },
  ]);
  await main().getByRole('row').filter({ hasText: 'is replaced' }).waitFor();
  await main().getByRole('textbox', { name: 'Name of file 3' }).fill('.git/config');
  await main().getByText("This name is git's own").waitFor();
  assert.ok(await page.getByRole('button', { name: 'Commit and propose' }).isDisabled());
  await told.sound(page, 'an upload with a bad name');
  await picture(page, 'upload', 'ROADBED_LOOKS');
  await main().getByRole('button', { name: 'Leave out .git/config' }).click();
  await choose.setInputFiles([{ name: 'large.iso', mimeType: 'application/octet-stream', buffer: Buffer.alloc(5 * 1024 * 1024 + 1) }]);
  await main().getByText(/large.iso has 5.2 MB/).waitFor();
  await told.sound(page, 'an upload that is too large');
  await page.getByRole('textbox', { name: 'Name of the branch' }).fill('pictures');
  await page.getByRole('button', { name: 'Commit and propose' }).click();
  await page.getByRole('heading', { level: 1, name: 'Upload 2 files to docs/' }).waitFor();
  git('fetch', '--quiet', 'origin');
  assert.equal(git('rev-parse', 'origin/pictures:docs/logo.png'), git('rev-parse', 'origin/pictures:docs/dot.png'));
  fs.writeFileSync(path.join(server.folder, 'every'), every);
  assert.equal(git('rev-parse', 'origin/pictures:docs/logo.png'), git('hash-object', '--no-filters', path.join(server.folder, 'every')));
});

chapter('Files that are dropped on a folder are uploaded to it', async () => {
  await page.goto('/repositories/crew/empty');
  await main().getByText('An empty folder').waitFor();
  const held = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(['Dropped.'], 'README.md'));
    return data;
  });
  await main().getByText('An empty folder').dispatchEvent('drop', { dataTransfer: held });
  await main().getByText('is new').waitFor();
  await page.getByRole('radio', { name: /Straight to main/ }).check();
  await page.getByRole('button', { name: 'Commit', exact: true }).click();
  await main().getByText('Dropped.').waitFor();
});

chapter('Branches and tags are made, compared and deleted', async () => {
  await page.goto(`${shop}?tab=branches`);
  const row = main().getByRole('row', { name: /^zero/ });
  await row.getByRole('link', { name: '#1' }).waitFor();
  await told.sound(page, 'branches');
  await row.getByRole('link', { name: '+1 −1' }).click();
  await main().getByText('zero has 1 commit that main has not, and lacks 1.').waitFor();
  await main().getByRole('region', { name: 'windows.txt', exact: true }).waitFor();
  await told.sound(page, 'a comparison');
  await page.getByRole('tab', { name: 'Tags' }).click();
  await main().getByRole('button', { name: 'New tag' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name' }).fill('v1.0.0');
  await dialog.getByRole('textbox', { name: 'Message' }).fill('The first release');
  await told.sound(page, 'the form of a tag');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await main().getByText('The first release').waitFor();
  await told.sound(page, 'tags');
  const [archive] = await Promise.all([page.waitForEvent('download'), main().getByRole('link', { name: 'zip', exact: true }).click()]);
  assert.equal(archive.suggestedFilename(), 'shop-v1.0.0.zip');
  await main().getByRole('button', { name: 'Delete v1.0.0' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete it' }).click();
  await main().getByText('No tag yet').waitFor();
});

chapter('What is not there, is no text, or is archived says so', async () => {
  await page.goto(`${shop}?ref=no-such-branch`);
  await main().getByText('There is nothing at this address').waitFor();
  await told.sound(page, 'a branch that is not there');
  await page.goto(`${shop}?path=nowhere/at/all.txt`);
  await main().getByText('There is nothing at this address').waitFor();
  await page.goto(`${shop}?path=data.bin`);
  await main().getByText('Not a text').waitFor();
  await page.goto(`${shop}?path=docs/dot.png`);
  await main().getByRole('img', { name: 'docs/dot.png' }).waitFor();
  await server.api('PATCH', shop, { archived: true });
  await page.goto(`${shop}?path=windows.txt&look=edit`);
  await main().getByText('The repository is archived').waitFor();
  await server.api('PATCH', shop, { archived: false });
});

chapter('Who may only read is offered nothing else', async () => {
  await server.api('POST', '/apply', {
    source: 'test',
    documents: `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: rita}
spec: {profile: {displayName: Rita}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: rita-reads}
spec: {role: reader, space: default, subjects: ["user:default/rita"]}
`,
  });
  const { url } = await server.api('POST', '/signin-links', { user: 'user:default/rita' });
  const rita = await told.person(browser, server.url, url);
  await rita.goto(`${shop}?path=windows.txt`);
  await rita.getByRole('button', { name: 'Copy the file' }).waitFor();
  for (const name of ['Edit the file', 'Delete the file']) assert.equal(await rita.getByRole('link', { name }).count(), 0);
  await rita.goto(`${shop}?path=windows.txt&look=edit`);
  await rita.getByText('You may read this repository').waitFor();
  await rita.goto(`${shop}?tab=branches`);
  await rita.getByRole('row', { name: /^zero/ }).waitFor();
  assert.equal(await rita.getByRole('button', { name: 'New branch' }).count(), 0);
  await told.sound(rita, 'branches for who only reads');
});

chapter('Settings hold, and a deleted repository comes back', async () => {
  const empty = '/repositories/crew/empty';
  await page.goto(`${empty}?tab=settings`);
  await main().getByRole('textbox', { name: 'Description' }).fill('Nothing yet');
  await main().getByRole('checkbox', { name: /looks like a secret/ }).uncheck();
  await main().getByRole('button', { name: 'Save' }).click();
  await main().getByText('Nothing yet').first().waitFor();
  const saved = await server.api('GET', empty);
  assert.deepEqual([saved.description, saved.secretCheck, saved.protected], ['Nothing yet', false, true]);
  await told.sound(page, 'the settings of a repository');
  await main().getByRole('textbox', { name: 'Name', exact: true }).fill('crew/hollow');
  await main().getByRole('button', { name: 'Move it' }).click();
  await page.waitForURL(/crew\/hollow\?tab=settings/);
  await main().getByRole('button', { name: 'Delete it' }).click();
  const asked = page.getByRole('dialog');
  await asked.getByRole('textbox').fill('crew/hollow');
  await told.sound(page, 'the question whether to delete it');
  await asked.getByRole('button', { name: 'Delete it' }).click();
  await page.waitForURL(/\/repositories(\?|$)/);
  await main().getByRole('link', { name: 'crew/shop' }).waitFor();
  assert.equal(await main().getByRole('link', { name: 'crew/hollow' }).count(), 0);
  await main().getByRole('button', { name: /Deleted/ }).click();
  const gone = page.getByRole('dialog');
  await gone.getByText('crew/hollow').waitFor();
  await told.sound(page, 'deleted repositories');
  await gone.getByRole('button', { name: 'Restore' }).click();
  await gone.getByText('None').first().waitFor();
  await page.keyboard.press('Escape');
  await main().getByRole('link', { name: 'crew/hollow' }).waitFor();
  await main().getByRole('button', { name: 'Import' }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: 'Address' }).waitFor();
  await told.sound(page, 'the form of an import');
  await page.keyboard.press('Escape');
});

chapter('On a phone it can be read as well', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [what, text] of [
    ['', 'It sells.'],
    ['?path=cmd/shop/main.go', 'hello people'],
    ['?path=cmd/shop/main.go&look=blame', 'hello people'],
    ['?tab=branches', 'zero'],
    ['?tab=commits', 'Greet people'],
    ['?tab=search&text=hello', 'cmd/shop/main.go'],
    ['?tab=compare&base=main&head=zero', 'Count from zero'],
    ['?path=windows.txt&look=edit', 'Commit it'],
    ['?path=docs/&look=upload', 'Choose files'],
  ]) {
    await page.goto(`${shop}${what}`);
    await main().getByText(text).first().waitFor();
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wider <= 0, `${what} is ${wider} pixels wider than the screen`);
    await told.sound(page, `${what || 'files'} on a phone`);
  }
});

chapter('Nothing broke, and everybody could use it', () => told.end());
