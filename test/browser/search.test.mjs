// Everything is found by its words: with the palette by the keyboard alone, and on the page of the search with its filters.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('search');
const { chapter } = told;
let server;
let browser;
let page;

const documents = `
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: payment-gateway, title: Payment Gateway, description: "Takes money from cards, and gives it to shops"}, spec: {type: service, lifecycle: production, owner: payments}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: ledger-books, title: The books, description: Books every payment twice}, spec: {type: library, lifecycle: experimental, owner: finance}}
---
{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: payments-api, description: Pay and refund}, spec: {type: openapi, lifecycle: production, owner: payments, definition: "openapi: 3.0.0\\ninfo: {title: Payments, version: '1'}\\npaths: {/refunds: {post: {operationId: refundPayment, responses: {}}}}\\n"}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: payments, description: The people of payments}, spec: {type: team, children: []}}
`;
const shop = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, annotations: {backstage.io/techdocs-ref: "dir:."}}, spec: {type: service, lifecycle: production, owner: payments}}
`;

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents, source: 'test' });
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'shop' });
  await server.api('POST', '/repositories/crew/shop/commits', {
    branch: 'main',
    message: 'all',
    changes: Object.entries({
      'catalog-info.yaml': shop,
      'docs/index.md': '# The shop\n\nSells hats.\n\n## Taking a payment\n\nA payment is taken at the walrus counter.\n',
    }).map(([path, text]) => ({ path, text })),
  });
  await server.api('POST', '/locations', { repository: 'crew/shop' });
  for (const late = Date.now() + minute; ; ) {
    const found = await server.api('GET', '/search?q=walrus');
    if (found.total === 1) break;
    assert.ok(Date.now() < late, 'the docs are not found');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
}, { timeout: 2 * minute });
after(async () => {
  await browser?.close();
  await server?.stop();
});

const where = () => page.getByRole('textbox', { name: 'Where to?' });
const heading = (name) => page.getByRole('heading', { level: 1, name });

chapter('the palette finds by the keyboard alone, and remembers', async () => {
  await heading('Home').or(page.getByRole('heading', { level: 1 })).first().waitFor();
  await page.keyboard.press('Control+k');
  await where().waitFor();
  await page.keyboard.type('paymnet gat'); // a typo, and a beginning
  const best = page.getByRole('button', { name: 'Payment Gateway component:default/payment-gateway' });
  await best.locator('mark').nth(1).waitFor(); // before that it may be what is found with the first words
  assert.deepEqual(await best.locator('mark').allTextContents(), ['Payment', 'Gateway']);
  await page.keyboard.press('Enter');
  await heading('Payment Gateway').waitFor();

  await page.keyboard.press('Control+k');
  await page.getByRole('group', { name: 'Recent' }).waitFor();
  await told.sound(page, 'the recent places');
  await page.keyboard.type('payment');
  for (const group of ['Catalog', 'APIs', 'Docs', 'Search']) await page.getByRole('group', { name: group }).waitFor();
  await page.getByRole('button', { name: /^Taking a payment The shop, docs of shop/ }).waitFor();
  await told.sound(page, 'the palette with results');
  await picture(page, 'search-palette', 'ROADBED_SEARCH_PICTURES');
  await page.emulateMedia({ colorScheme: 'dark' });
  await told.sound(page, 'the palette in the dark');
  await picture(page, 'search-palette-dark', 'ROADBED_SEARCH_PICTURES');
  await page.emulateMedia({ colorScheme: 'light' });
  await where().fill('walrus');
  await page.locator('mark').getByText('walrus').waitFor();
  for (const key of ['ArrowDown', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
  await page.waitForURL('**/docs/default/component/shop#taking-a-payment');

  await page.keyboard.press('Control+k');
  await where().fill('nothingiscalledthat');
  await page.getByText('Nothing has all of these words').waitFor();
  await page.keyboard.press('Enter');
  await heading('Search').waitFor();
  await page.getByText('Leave a word out').waitFor();
  await told.sound(page, 'nothing found');
});

chapter('the page of the search narrows, and its address says how', async () => {
  await page.goto('/search?q=payment');
  const results = page.getByRole('list', { name: 'Results' });
  await results.getByRole('link', { name: 'Payment Gateway' }).waitFor();
  assert.ok((await results.locator('mark').count()) > 3);
  await told.sound(page, 'the results');
  await picture(page, 'search', 'ROADBED_SEARCH_PICTURES');
  await page.getByRole('button', { name: /^APIs 1$/ }).click();
  await page.waitForURL(/in=apis/);
  await page.getByText('1 result', { exact: true }).waitFor();
  await results.getByRole('link', { name: 'payments-api' }).waitFor();
  assert.equal(await results.getByRole('listitem').count(), 1);
  await page.getByRole('button', { name: /^All \d/ }).click();
  await page.getByRole('combobox', { name: 'lifecycle' }).click();
  await page.getByRole('option', { name: 'experimental (1)' }).click();
  await page.waitForURL(/lifecycle=experimental/);
  await page.getByText('1 result', { exact: true }).waitFor();
  await page.reload();
  await results.getByRole('link', { name: 'The books' }).waitFor();
  await page.getByRole('textbox', { name: 'Search for' }).fill('gateway');
  await page.getByRole('button', { name: 'Take the filters away' }).click();
  await results.getByRole('link', { name: 'Payment Gateway' }).waitFor();
  assert.doesNotMatch(page.url(), /lifecycle/);
});

chapter('it is read on a phone and on a wide screen, light and dark', async () => {
  for (const [name, width] of [['phone', 390], ['wide', 2560]]) {
    await page.setViewportSize({ width, height: 900 });
    await page.goto('/search?q=payment');
    await page.getByRole('list', { name: 'Results' }).waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `the page is wider than ${width} px`);
    await picture(page, `search-${name}`, 'ROADBED_SEARCH_PICTURES');
    await page.emulateMedia({ colorScheme: 'dark' });
    await told.sound(page, `the results on a ${name} in the dark`);
    await picture(page, `search-${name}-dark`, 'ROADBED_SEARCH_PICTURES');
    await page.emulateMedia({ colorScheme: 'light' });
  }
});

chapter('no page broke', async () => {
  told.end();
});
