// A forge is connected in the portal: at first it refuses the token, then it takes it, and sends webhooks.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('integration');
const { chapter } = told;
let server;
let browser;
let page;
let forge;
let open = false;
let secret;

// What of Gitea's API a test of an integration asks for.
const answers = {
  '/api/v1/token': {
    scopes: ['write:repository', 'write:issue', 'write:organization', 'read:user'],
    user: { id: 1, login: 'ann', full_name: 'Ann' },
  },
  '/api/v1/version': { version: '1.27.3' },
  '/api/v1/settings/api': { max_response_items: 50, default_paging_num: 30 },
  '/api/v1/users/shop': { id: 2, login: 'shop' },
  '/api/v1/repos/shop/till/hooks': [],
  'POST /api/v1/repos/shop/till/hooks': { id: 7, type: 'gitea', active: true, events: ['push', 'pull_request'] },
  '/api/v1/repos/search': { ok: true, data: [{ id: 1, full_name: 'shop/till', default_branch: 'main' }] },
};

before(async () => {
  forge = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://forge');
    const answer = request.method === 'GET' ? answers[pathname] : answers[`${request.method} ${pathname}`];
    const right = request.headers.authorization === 'token right';
    response.writeHead(!open || !right ? 401 : answer ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(open && right && answer ? answer : { message: 'invalid username, password or token' }));
  });
  await new Promise((resolve) => forge.listen(0, '127.0.0.1', resolve));
  process.env.ROADBED_ALLOW_PRIVATE = '127.0.0.0/8';
  server = await start();
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  forge?.close();
});

chapter('an empty page says how to connect one', async () => {
  await page.getByRole('link', { name: 'Integrations' }).click();
  await page.getByText('No forge is connected').waitFor();
  await page.getByText('kind: Integration').waitFor();
  await page.getByRole('button', { name: 'Copy the document' }).waitFor();
  await told.sound(page, 'no integration');
  await picture(page, 'integrations-none', 'ROADBED_LOOKS');
});

chapter('a forge is connected by a form, and its secret is never seen again', async () => {
  await page.getByRole('link', { name: 'Connect a forge' }).click();
  await page.getByRole('heading', { name: 'Connect a forge' }).waitFor();
  await page.getByRole('combobox', { name: 'Forge' }).click();
  await page.getByRole('option', { name: 'Gitea' }).click();
  await page.getByLabel('Address').fill(`http://127.0.0.1:${forge.address().port}`);
  await page.getByLabel('Its value').fill('right');
  const owners = page.getByRole('combobox', { name: 'Only for the organizations' });
  await owners.fill('shop');
  await owners.press('Enter');
  await page.getByText('secretRef: default/gitea-token').waitFor();
  await told.sound(page, 'the form of an integration');
  await picture(page, 'integration-connect', 'ROADBED_LOOKS');
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByText("the secret can't be seen again").waitFor();
  assert.equal(await page.getByLabel('Address', { exact: true }).inputValue(), `${server.url}/hooks/default/gitea`);
  secret = await page.getByLabel('Secret', { exact: true }).inputValue();
  assert.match(secret, /^[0-9a-f]{48}$/);
  await picture(page, 'integration-connected', 'ROADBED_LOOKS');
});

chapter('it says what is wrong, and after a test that all is well', async () => {
  await page.getByRole('link', { name: 'See how it does' }).click();
  await page.getByText('its credentials are wrong or have ended').waitFor();
  await page.getByText('refused').first().waitFor();
  await told.sound(page, 'an integration that is refused');
  await picture(page, 'integration-refused', 'ROADBED_LOOKS');
  open = true;
  await page.getByRole('button', { name: 'Test gitea' }).click();
  await page.getByText('healthy').first().waitFor();
  await page.getByText('shop/till').waitFor();
  await page.getByText('ann', { exact: true }).waitFor();
  assert.equal(await page.getByText('its credentials are wrong or have ended').count(), 0);
  await told.sound(page, 'an integration');
  await picture(page, 'integration', 'ROADBED_LOOKS');
  await page.getByRole('link', { name: 'What the ledger tells of it' }).click();
  await page.getByRole('row', { name: /Administrator integration healthy/ }).waitFor();
});

/** Sends a webhook as Gitea does, and gives the status of the answer. */
async function deliver(id, body, signedWith) {
  const text = JSON.stringify(body);
  const answer = await fetch(`${server.url}/hooks/default/gitea`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Gitea-Event': 'push',
      'X-Gitea-Delivery': id,
      'X-Gitea-Signature': createHmac('sha256', signedWith).update(text).digest('hex'),
    },
    body: text,
  });
  return answer.status;
}

chapter('its webhooks are set up and show what came of them, while somebody looks', async () => {
  await page.goto(`${server.url}/integrations/default/gitea`);
  await page.getByText('none so far').waitFor();
  await page.getByRole('button', { name: 'Set up webhook' }).click();
  await page.getByRole('textbox', { name: 'Repository' }).fill('shop/till');
  await page.getByRole('button', { name: 'Set up', exact: true }).click();
  await page.getByText(/The forge sends .*push.* to this server/).waitFor();
  await told.sound(page, 'the dialog of a webhook');
  await picture(page, 'integration-webhook', 'ROADBED_LOOKS');
  await page.keyboard.press('Escape');
  const push = {
    ref: 'refs/heads/main',
    before: '1'.repeat(40),
    after: '2'.repeat(40),
    repository: { id: 1, full_name: 'shop/till' },
    sender: { id: 1, login: 'ann' },
  };
  assert.equal(await deliver('forged', push, 'guessed'), 401);
  await page.getByText(/^1, last .* from 127.0.0.1: the delivery is not signed/).waitFor();
  await page.getByRole('link', { name: 'All deliveries' }).click();
  await page.getByText('No deliveries').waitFor();
  assert.equal(await deliver('one', push, secret), 202);
  assert.equal(await deliver('one', push, secret), 200);
  await page.getByRole('row', { name: /push shop\/till .* ann/ }).waitFor();
  await told.sound(page, 'the deliveries');
  await page.getByRole('row', { name: /(done|ignored) push/ }).waitFor();
  await picture(page, 'deliveries', 'ROADBED_LOOKS');
  await page.getByRole('button', { name: 'push', exact: true }).click();
  await page.getByText('X-Gitea-Event: push').waitFor();
  await page.getByText('"full_name": "shop/till"').waitFor();
  await page.getByText('once', { exact: true }).waitFor();
  await told.sound(page, 'a delivery');
  await picture(page, 'delivery', 'ROADBED_LOOKS');
  await page.getByRole('button', { name: 'Redeliver' }).click();
  await page
    .getByRole('dialog')
    .getByText(/state: (done|ignored)/)
    .waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Home', exact: true }).click();
});

chapter('the list shows how each does', async () => {
  await page.getByRole('link', { name: 'Integrations' }).click();
  await page.getByRole('row', { name: /gitea healthy Gitea at 127.0.0.1/ }).waitFor();
  await page.getByRole('button', { name: 'Test gitea' }).click();
  await told.sound(page, 'the integrations');
  await picture(page, 'integrations', 'ROADBED_LOOKS');
});

chapter('a forge is disconnected by who types its name', async () => {
  await page.getByRole('link', { name: 'gitea', exact: true }).click();
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByLabel('Type gitea to go on').fill('gitea');
  await told.sound(page, 'the question before a forge is disconnected');
  await page.getByRole('button', { name: 'Disconnect it' }).click();
  await page.getByText('No forge is connected').waitFor();
});

chapter('Nothing broke, and everybody could use it', () => told.end());
