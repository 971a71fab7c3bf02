// The catalog as somebody finds, keeps and changes things in it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('catalog');
const { chapter } = told;
let server;
let browser;
let page;

const file = `# Asked about in #shop.
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: counter
  title: Counter
spec:
  type: service
  lifecycle: production
  owner: crew # who is called
`;

/** A crew, six hundred components of it and of others, and some that nobody owns. */
function company() {
  const all = [];
  const add = (kind, metadata, spec) => all.push({ apiVersion: 'backstage.io/v1alpha1', kind, metadata, spec });
  add('Group', { name: 'crew' }, { type: 'team', children: [], members: ['admin'] });
  add('Group', { name: 'empty' }, { type: 'team', children: [] });
  add('System', { name: 'shop' }, { owner: 'crew' });
  for (let i = 0; i < 600; i++)
    add(
      'Component',
      { name: `part-${String(i).padStart(3, '0')}`, title: `Part ${i}`, tags: i % 2 ? ['java'] : ['go', 'web'], description: `Does part ${i}` },
      {
        type: i % 3 ? 'service' : 'website',
        lifecycle: i % 5 ? 'production' : 'experimental',
        owner: i < 590 ? 'crew' : i < 595 ? 'empty' : 'ghost',
        ...(i % 4 && { system: 'shop' }),
      },
    );
  return all;
}

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents: company().map((d) => JSON.stringify(d)).join('\n---\n'), source: 'company' });
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'counter' });
  await server.api('POST', '/repositories/crew/counter/commits', {
    branch: 'main',
    message: 'Begin',
    changes: [{ path: 'catalog-info.yaml', text: file }],
  });
  await server.api('POST', '/locations', { repository: 'crew/counter', path: 'catalog-info.yaml' });
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
}, { timeout: 2 * minute });
after(async () => {
  await browser?.close();
  await server?.stop();
});

const table = () => page.getByRole('table', { name: 'Entities' });
const filters = () => page.getByRole('complementary', { name: 'Filters' });

chapter('filters narrow the list, stand in the address, and tell how many they leave', async () => {
  await page.goto(`${server.url}/catalog?kind=component`);
  await page.getByText('601 entities').waitFor();
  await filters().getByRole('checkbox', { name: /^experimental 120/ }).check();
  await page.getByText('120 entities').waitFor();
  await filters().getByRole('checkbox', { name: /^go / }).check();
  await page.getByText('60 entities').waitFor();
  assert.match(page.url(), /lifecycle=experimental/);
  assert.match(page.url(), /tag=go/);
  await told.sound(page, 'the catalog');
  await picture(page, 'catalog', 'ROADBED_CATALOG_PICTURES');
  await page.reload();
  await page.getByText('60 entities').waitFor();
  await page.getByRole('button', { name: 'Take away: tag: go' }).click();
  await page.getByText('120 entities').waitFor();
  await page.getByRole('button', { name: 'Clear all' }).click();
  await page.getByText('Everything', { exact: false }).or(page.getByText(/entities$/)).first().waitFor();
});

chapter('a head sorts, and only the rows in sight are drawn', async () => {
  await page.goto(`${server.url}/catalog?kind=component`);
  await page.getByText('601 entities').waitFor();
  await page.getByRole('button', { name: 'Name', exact: true }).click();
  await table().getByRole('columnheader', { name: 'Name' }).and(page.locator('[aria-sort=ascending]')).waitFor();
  await page.getByRole('button', { name: 'Name', exact: true }).click();
  await table().getByRole('link', { name: 'Part 599' }).waitFor();
  assert.ok((await table().getByRole('row').count()) < 80);
  for (let i = 0; i < 80 && !(await table().getByRole('link', { name: 'Part 0', exact: true }).count()); i++) {
    await page.mouse.wheel(0, 2500);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  await table().getByRole('link', { name: 'Part 0', exact: true }).waitFor();
});

chapter('a star and a saved view are found again', async () => {
  await page.goto(`${server.url}/catalog?kind=component&text=part-01`);
  await page.getByRole('button', { name: 'Star component:default/part-010' }).click();
  await filters().getByRole('radio', { name: /Starred/ }).check();
  await page.getByText('1 entity').waitFor();
  await page.goto(`${server.url}/catalog?kind=component&lifecycle=experimental&sort=-name`);
  await page.getByText('120 entities').waitFor();
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Save this list…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Trials');
  await told.sound(page, 'saving a view');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.goto(`${server.url}/catalog`);
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Trials' }).click();
  await page.getByText('120 entities').waitFor();
  assert.match(page.url(), /sort=-name/);
});

chapter('an entity of a file is edited in place, which commits and keeps the comments', async () => {
  await page.goto(`${server.url}/catalog/component/default/counter`);
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Title' }).fill('The Counter');
  await dialog.getByRole('combobox', { name: 'System' }).or(dialog.getByRole('textbox', { name: 'System' })).fill('sho');
  await page.getByRole('option', { name: 'shop' }).click();
  await dialog.getByRole('combobox', { name: 'Depends on' }).or(dialog.getByRole('textbox', { name: 'Depends on' })).fill('part-00');
  await page.getByRole('option', { name: 'component:default/part-007' }).click();
  await dialog.getByText('component:default/part-007').waitFor();
  await dialog.getByRole('button', { name: 'Show what it will do' }).click();
  await dialog.getByText('Commits to main of crew/counter').waitFor();
  await told.sound(page, 'editing an entity');
  await picture(page, 'edit', 'ROADBED_CATALOG_PICTURES');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Committed to main of crew/counter').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { level: 1, name: 'The Counter' }).waitFor();
  const now = await server.api('GET', '/repositories/crew/counter/file?path=catalog-info.yaml');
  assert.equal(now.text, `${file.replace('title: Counter', 'title: The Counter')}  system: system:default/shop\n  dependsOn:\n    - component:default/part-007\n`);
  assert.ok((await server.api('GET', '/entities/component/default/counter')).relations.some((r) => r.target === 'system:default/shop'));
  await told.sound(page, 'the entity');
  await page.getByRole('tab', { name: 'Relations' }).click();
  const row = page.getByRole('table', { name: 'Relations' }).getByRole('row').filter({ hasText: 'part-007' });
  await row.getByText('depends on').waitFor();
  await told.sound(page, 'the relations of an entity');
});

chapter('gaps are counted, and an owner is assigned to several at once', async () => {
  await page.goto(`${server.url}/gaps?kind=component`);
  await page.getByRole('button', { name: '5 Owner does not exist' }).click();
  await page.getByRole('checkbox', { name: 'Select all that are shown' }).check();
  await told.sound(page, 'the gaps');
  await picture(page, 'gaps', 'ROADBED_CATALOG_PICTURES');
  await page.getByRole('button', { name: 'Change owner' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Owner' }).or(dialog.getByRole('textbox', { name: 'Owner' })).fill('crew');
  await page.getByRole('option', { name: 'crew (group)' }).click();
  await dialog.getByRole('button', { name: 'Show what it will do' }).click();
  await dialog.getByText('Applies in space default').waitFor();
  await told.sound(page, 'changing many');
  await dialog.getByRole('button', { name: 'Do it' }).click();
  await dialog.getByText('Applied in space default').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: '0 Owner does not exist' }).waitFor();
  assert.equal((await server.api('GET', '/entities/component/default/part-599')).owner, 'group:default/crew');
});

chapter('locations of several are read again, and it is told which could not be taken', async () => {
  const component = (name) => JSON.stringify({ apiVersion: 'backstage.io/v1alpha1', kind: 'Component', metadata: { name }, spec: { type: 'service', lifecycle: 'production', owner: 'crew' } });
  const commit = (repository, text) =>
    server.api('POST', `/repositories/${repository}/commits`, { branch: 'main', message: 'Say', changes: [{ path: 'catalog-info.yaml', text }] });
  for (const name of ['spares', 'named']) await server.api('POST', '/repositories', { namespace: 'crew', name });
  await commit('crew/spares', `${component('spare-one')}\n---\n${component('spare-two')}\n`);
  await commit('crew/named', `${component('spare-named')}\n`);
  await server.api('POST', '/locations', { repository: 'crew/spares' });
  await server.api('POST', '/apply', {
    source: 'spares',
    documents: `${component('spare-applied')}\n---\n{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: names}, spec: {target: /git/crew/named}}`,
  });
  await page.goto(`${server.url}/catalog?kind=component&text=spare`);
  await page.getByText('4 entities').waitFor();
  await commit('crew/spares', 'kind: [\n');
  for (const name of ['one', 'named', 'applied'])
    await page.getByRole('checkbox', { name: `Select component:default/spare-${name}` }).check();
  await page.getByRole('button', { name: 'Refresh', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 of 2 locations were read again.').waitFor();
  await dialog.getByText('1 comes from no file').waitFor();
  await dialog.getByRole('listitem').filter({ hasText: 'crew/spares/catalog-info.yaml: ' }).waitFor();
  await told.sound(page, 'what was refreshed');
  await dialog.getByRole('button', { name: 'Done' }).click();
});

chapter('several are unregistered with all that their files declare, once that is agreed to', async () => {
  await page.getByRole('button', { name: 'Unregister' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('2 locations with 3 entities leave the catalog').waitFor();
  await dialog.getByText('1 comes from no file and stays').waitFor();
  await dialog.getByText('crew/spares:catalog-info.yaml: component:default/spare-one, component:default/spare-two').waitFor();
  await told.sound(page, 'unregistering');
  await picture(page, 'unregister', 'ROADBED_CATALOG_PICTURES');
  assert.ok(await dialog.getByRole('button', { name: 'Unregister' }).isDisabled());
  await dialog.getByRole('checkbox', { name: 'Also the one that I did not select' }).check();
  await dialog.getByRole('button', { name: 'Unregister' }).click();
  await dialog.getByText('1 of 2 were unregistered.').waitFor();
  await dialog.getByText(/^crew\/named:catalog-info.yaml: .*is named by location:default\/names; remove it there first/).waitFor();
  await told.sound(page, 'what was unregistered');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByText('2 entities').waitFor();
  await table().getByRole('link', { name: 'spare-applied' }).waitFor();
  await table().getByRole('link', { name: 'spare-named' }).waitFor();
});

chapter('it is usable on a phone, and in the dark', async () => {
  const phone = await told.window(browser, server.url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  await phone.context().addCookies(await page.context().cookies());
  await phone.goto(`${server.url}/catalog?kind=component`);
  await phone.getByText('603 entities').waitFor();
  await told.sound(phone, 'the catalog on a phone');
  await picture(phone, 'catalog-phone', 'ROADBED_CATALOG_PICTURES');
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `it is ${wide} px wide`);
  await phone.getByRole('button', { name: 'Filters' }).click();
  await phone.getByRole('dialog').getByRole('checkbox', { name: /^website / }).check();
  await phone.getByRole('button', { name: 'Show 200' }).click();
  await phone.getByText('200 entities').waitFor();
});

chapter('nothing broke', async () => told.end());
