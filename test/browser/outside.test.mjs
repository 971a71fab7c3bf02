// A repository that lives at a forge, a real Gitea: connected, read, followed, and its pull request merged, in the portal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { absent, startGitea } from './gitea.mjs';
import { start } from './server.mjs';

const scopes = ['write:repository', 'write:issue', 'write:organization', 'read:user'];
const told = story('outside');
const chapter = absent ? () => {} : told.chapter;
if (absent) test('a repository at a forge', { skip: absent }, () => {});
let server;
let browser;
let page;
let gitea;
let token;
let work;

const git = (...args) =>
  execFileSync('git', args, {
    cwd: fs.existsSync(work) ? work : server.folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'Ann',
      GIT_AUTHOR_EMAIL: 'ann@example.com',
      GIT_COMMITTER_NAME: 'Ann',
      GIT_COMMITTER_EMAIL: 'ann@example.com',
    },
  });

/** Commits files and pushes them to the forge, as ann. */
function push(branch, message, files) {
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(work, file), text);
  git('add', '--all');
  git('commit', '--quiet', '--message', message);
  git('push', '--quiet', 'origin', `HEAD:${branch}`);
}

before(async () => {
  if (absent) return;
  process.env.ROADBED_ALLOW_PRIVATE = '127.0.0.0/8';
  [server, browser, gitea] = await Promise.all([start(), launch(), startGitea()]);
  token = gitea.person('ann', ...scopes);
  await gitea.api(token, 'POST', '/orgs', { username: 'acme' });
  await gitea.api(token, 'POST', '/orgs/acme/repos', { name: 'shop', private: true, default_branch: 'main' });
  work = path.join(server.folder, 'work');
  git('clone', '--quiet', `http://ann:${token}@${gitea.host}/acme/shop.git`, work);
  git('switch', '--quiet', '--create', 'main');
  push('main', 'First', { 'README.md': '# Shop\n\nIt sells.\n', 'prices.txt': 'tea 3\n' });
  page = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await gitea?.stop();
});

const main = () => page.getByRole('main');
const shop = '/repositories/crew/shop';

chapter('A forge is connected by its address and a token, and does well', async () => {
  await page.goto('/integrations/connect');
  await page.getByRole('combobox', { name: 'Forge' }).click();
  await page.getByRole('option', { name: 'Gitea' }).click();
  await page.getByLabel('Address').fill(gitea.url);
  await page.getByLabel('Its value').fill(token);
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByRole('link', { name: 'See how it does' }).click();
  await page.getByRole('button', { name: 'Test gitea' }).click();
  await main().getByText('healthy').first().waitFor();
  await main().getByText('ann', { exact: true }).waitFor();
});

chapter('A repository of it is found, and connected', async () => {
  await page.goto('/repositories');
  await main().getByRole('button', { name: 'Connect' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('textbox', { name: 'Namespace here' }).fill('crew');
  const offer = drawer.getByRole('row', { name: /acme\/shop/ });
  await offer.getByText('private').waitFor();
  await told.sound(page, 'what a forge offers');
  await picture(page, 'outside-offers', 'ROADBED_LOOKS');
  await offer.getByRole('button', { name: 'Connect', exact: true }).click();
  await offer.getByRole('link', { name: 'crew/shop' }).click();
  await main().getByRole('heading', { level: 1, name: 'Shop', exact: true }).waitFor(); // fetched, with its README
  await main().getByRole('row', { name: /^prices.txt First/ }).waitFor();
  await main().getByText(`acme/shop at ${gitea.host}`).waitFor();
  await told.sound(page, 'a repository at a forge');
  await picture(page, 'outside-files', 'ROADBED_LOOKS');
});

chapter('Its webhook brings a push at once, while somebody looks', async () => {
  await page.goto('/integrations/default/gitea');
  await page.getByRole('button', { name: 'Set up webhook' }).click();
  await page.getByRole('textbox', { name: 'Repository' }).fill('acme/shop');
  await page.getByRole('button', { name: 'Set up', exact: true }).click();
  await page.getByText(/The forge sends .*push.* to this server/).waitFor();
  await page.goto(shop);
  await main().getByRole('row', { name: /^prices.txt First/ }).waitFor();
  push('main', 'Tea is dearer', { 'prices.txt': 'tea 4\n' });
  await main().getByRole('row', { name: /^prices.txt Tea is dearer/ }).waitFor();
  await page.getByRole('tab', { name: 'Commits' }).click();
  await main().getByRole('link', { name: 'Tea is dearer' }).click();
  await main().getByText('tea 4').waitFor();
  await page.goto('/integrations/default/gitea/deliveries');
  await main().getByRole('row', { name: /done push acme\/shop .* ann/ }).waitFor();
});

chapter('An edit here is a branch there', async () => {
  await page.goto(`${shop}?path=prices.txt&look=edit`);
  await page.getByRole('textbox', { name: 'Text of prices.txt' }).waitFor();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('coffee 5');
  await page.getByRole('textbox', { name: 'Message' }).fill('Sell coffee');
  await page.getByRole('textbox', { name: 'Name of the branch' }).fill('coffee');
  await page.getByRole('button', { name: 'Commit and propose' }).click();
  await page.waitForURL('**/crew/shop/proposals/1');
  await page.getByRole('heading', { level: 1, name: 'Sell coffee' }).waitFor();
  const there = await gitea.api(token, 'GET', '/repos/acme/shop/pulls/1');
  assert.deepEqual([there.title, there.head.ref, there.state], ['Sell coffee', 'coffee', 'open']);
});

chapter('What is said of it is read in both places', async () => {
  await gitea.api(token, 'POST', '/repos/acme/shop/issues/1/comments', { body: 'How strong is it?' });
  await main().getByText('How strong is it?').waitFor();
  await main().getByRole('textbox', { name: 'Say something' }).fill('Very strong.');
  await main().getByRole('button', { name: 'Comment' }).click();
  await main().getByRole('article').getByText('Very strong.').waitFor();
  const there = await gitea.api(token, 'GET', '/repos/acme/shop/issues/1/comments');
  assert.ok(there.some((c) => c.body.endsWith('Very strong.')), JSON.stringify(there));
  await page.getByRole('tab', { name: 'Changes' }).click();
  await page.getByRole('region', { name: 'prices.txt', exact: true }).getByText('coffee 5').waitFor();
  await page.getByRole('tab', { name: 'Conversation' }).click();
  await told.sound(page, 'a pull request of a forge');
  await picture(page, 'outside-proposal', 'ROADBED_LOOKS');
});

chapter('It is merged from here, and there it is merged', async () => {
  await main().getByText('Nothing is in the way').waitFor();
  await main().getByRole('button', { name: 'Merge', exact: true }).click();
  await main().getByText(/merged by/).waitFor();
  const there = await gitea.api(token, 'GET', '/repos/acme/shop/pulls/1');
  assert.deepEqual([there.merged, there.base.ref], [true, 'main']);
  await page.goto(`${shop}?path=prices.txt`);
  await main().getByText('coffee 5').waitFor();
  await told.sound(page, 'a file of a repository at a forge');
});

chapter('An import that is not let in takes a stored secret', async () => {
  await page.goto('/repositories');
  await main().getByRole('button', { name: 'Import' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('textbox', { name: 'Address' }).fill(`${gitea.url}/acme/shop.git`);
  await drawer.getByRole('textbox', { name: 'Name here' }).fill('crew/copied');
  await drawer.getByText('A password', { exact: true }).click();
  await drawer.getByRole('textbox', { name: 'User name' }).fill('ann');
  await drawer.getByLabel('Password or token').fill('guessed');
  await told.sound(page, 'an import with a password');
  await picture(page, 'import', 'ROADBED_LOOKS');
  await drawer.getByRole('button', { name: 'Import it' }).click();
  await main().getByText('Could not be imported').waitFor();
  await main().getByRole('button', { name: 'Other credentials' }).click();
  await main().getByText('A stored secret', { exact: true }).click();
  await main().getByRole('textbox', { name: 'User name' }).fill('ann');
  await main().getByRole('combobox', { name: 'Secret' }).click();
  await told.sound(page, 'an import that was not let in');
  await picture(page, 'import-refused', 'ROADBED_LOOKS');
  await page.getByRole('option', { name: 'default/gitea-token' }).click();
  await main().getByRole('button', { name: 'Try with these' }).click();
  await main().getByRole('row', { name: /^prices.txt/ }).waitFor();
});

chapter('A repository here is mirrored to one at the forge', async () => {
  await gitea.api(token, 'POST', '/orgs/acme/repos', { name: 'copy', private: true, default_branch: 'main' });
  await page.goto('/repositories/crew/copied?tab=settings');
  await main().getByText('No mirrors').waitFor();
  await main().getByRole('button', { name: 'Add a mirror' }).click();
  await told.sound(page, 'the form of a mirror to an address');
  await main().getByText('To a connected forge', { exact: true }).click();
  const there = main().getByRole('combobox', { name: 'Repository there' });
  await there.fill('copy');
  await page.getByRole('option', { name: 'acme/copy' }).click();
  await told.sound(page, 'the form of a mirror to a forge');
  await picture(page, 'mirror', 'ROADBED_LOOKS');
  await main().getByRole('button', { name: 'Add it' }).click();
  await main().getByRole('row', { name: /acme\/copy at default\/gitea up to date/ }).waitFor();
  // By git: the API there says for a while that the repository is empty.
  const head = (repository) => git('ls-remote', repository, 'refs/heads/main').split('\t')[0];
  assert.match(head('origin'), /^[0-9a-f]{40}$/);
  assert.equal(head(`http://ann:${token}@${gitea.host}/acme/copy`), head('origin'));
});

chapter('A repository that is read by API says so, and is cloned for who looks at its files', async () => {
  await gitea.api(token, 'POST', '/orgs/acme/repos', { name: 'till', private: true, default_branch: 'main', auto_init: true });
  const connect = { remote: 'acme/till', namespace: 'crew', content: 'api' };
  await server.api('POST', '/integrations/default/gitea/repositories', connect);
  await page.goto('/repositories/crew/till?tab=settings');
  await main().getByText("read by the forge's API; cloned when somebody needs its history").waitFor();
  await main().getByText(/^looked at/).waitFor();
  await main().getByRole('button', { name: 'Look now' }).waitFor();
  await told.sound(page, 'a repository that is read by API');
  await picture(page, 'outside-by-api', 'ROADBED_LOOKS');
  await page.getByRole('tab', { name: 'Files' }).click();
  await main().getByRole('row', { name: /^README.md/ }).waitFor();
  await page.reload();
  await main().getByRole('button', { name: 'Fetch now' }).waitFor();
  assert.equal(await main().getByText("read by the forge's API").count(), 0);
});

chapter('Disconnecting forgets it here alone', async () => {
  await page.goto(`${shop}?tab=settings`);
  await main().getByText("are the forge's: change them there").waitFor();
  assert.equal(await main().getByRole('textbox', { name: 'Default branch' }).count(), 0);
  await told.sound(page, 'the settings of a repository at a forge');
  await main().getByRole('button', { name: 'Disconnect' }).click();
  await told.sound(page, 'the question before a repository is disconnected');
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click();
  await page.waitForURL(/\/repositories(\?|$)/);
  assert.equal((await gitea.api(token, 'GET', '/repos/acme/shop')).full_name, 'acme/shop');
});

chapter('Nothing broke, and everybody could use it', () => told.end());
