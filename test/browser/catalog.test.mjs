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

const orders = `apiVersion: backstage.io/v1alpha1
kind: Resource
metadata:
  name: orders
  title: Orders
  description: What was ordered, and by whom
  labels: {tier: gold, example.test/region: eu-west}
  links:
    - {url: 'https://graphs.test/d/orders?x=1', title: Dashboard, icon: dashboard}
    - {url: 'https://wiki.test/orders'}
    - {url: 'mailto:crew@shop.test', type: chat}
    - {url: 'slack://channel?id=1', title: Channel, type: chat}
  annotations:
    example.test/docs: https://a.test/docs
${Array.from({ length: 9 }, (_, i) => `    example.test/note-${i + 1}: value ${i + 1}`).join('\n')}
spec:
  type: database
  owner: crew
  version: "15.2"
`;

/** A kind that is declared, something of it, and somebody. */
const dataset = `apiVersion: roadbed.dev/v1
kind: Kind
metadata: {name: dataset}
spec:
  group: acme.example
  versions: [v1]
  names: {kind: Dataset, plural: datasets, icon: database}
  description: Data that teams publish.
  schema: {type: object}
  relations:
    - {field: spec.owner, type: ownedBy, kind: Group}
    - {field: spec.inputs.from, type: derivedFrom, inverse: derivedTo, kind: Dataset}
---
{apiVersion: acme.example/v1, kind: Dataset, metadata: {name: raw}, spec: {owner: crew}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada}
spec:
  profile: {displayName: Ada Lovelace, email: ada@shop.test, picture: 'https://pictures.test/ada.png'}
  memberOf: [crew]
`;
const sales = `apiVersion: acme.example/v1
kind: Dataset
metadata: {name: sales}
spec:
  owner: crew
  tier: gold
  days: 365
  personal: true
  regions: [eu-west, us-east]
  browse: https://lake.test/sales
  inputs: [{from: raw}]
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
  await page.getByRole('button', { name: 'Trials' }).waitFor();
  await page.goto(`${server.url}/catalog`);
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: /^Trials/ }).click();
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

chapter('a view keeps the columns that were chosen, for whoever opens it', async () => {
  const head = (of, name) => of.getByRole('table', { name: 'Entities' }).getByRole('columnheader', { name, exact: true });
  const turn = async (of, ...names) => {
    await of.getByRole('button', { name: 'Columns' }).click();
    for (const name of names) await of.getByRole('checkbox', { name, exact: true }).click();
    await told.sound(of, 'choosing columns');
    await of.keyboard.press('Escape');
  };
  await page.goto(`${server.url}/catalog?kind=component&lifecycle=production`);
  await turn(page, 'Tags', 'Created', 'System');
  await head(page, 'System').waitFor();
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Save this list…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('By system');
  await page.getByRole('combobox', { name: 'Share it with a space' }).or(page.getByRole('textbox', { name: 'Share it with a space' })).click();
  await page.getByRole('option', { name: 'default' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'By system', exact: true }).waitFor();
  const saved = async () => new URLSearchParams((await server.api('GET', '/views')).items.find((v) => v.name === 'By system').query);
  assert.equal((await saved()).get('columns'), 'kind,type,owner,lifecycle,system,updated');

  const other = await told.window(browser, server.url);
  await other.context().addCookies(await page.context().cookies());
  const own = () => other.evaluate(() => localStorage.getItem('roadbed.catalog.columns'));
  await other.goto(`${server.url}/catalog`);
  await head(other, 'Tags').waitFor();
  await other.getByRole('button', { name: 'Views' }).click();
  await other.getByRole('menuitem', { name: /^By system/ }).click();
  await head(other, 'System').waitFor();
  assert.equal(await head(other, 'Tags').count(), 0);
  await turn(other, 'Space');
  await head(other, 'Space').waitFor();
  await other.getByRole('button', { name: 'By system, changed' }).click();
  await told.sound(other, 'the menu of views');
  await picture(other, 'views', 'ROADBED_LOOKS');
  await other.getByRole('menuitem', { name: 'Save changes to “By system”' }).click();
  await other.getByRole('button', { name: 'By system', exact: true }).waitFor();
  assert.equal((await saved()).get('columns'), 'kind,type,owner,lifecycle,system,space,updated');
  assert.equal((await saved()).get('lifecycle'), 'production');
  assert.equal(await own(), null);
  await other.getByRole('button', { name: 'Columns' }).click();
  await other.getByRole('button', { name: 'Show my own columns' }).click();
  await head(other, 'Tags').waitFor();
  await other.getByRole('button', { name: 'By system, changed' }).waitFor();
  await other.getByRole('link', { name: 'Gaps' }).click();
  await other.getByRole('heading', { level: 1, name: 'Gaps' }).waitFor();

  await page.goto(`${server.url}/catalog`);
  await head(page, 'System').waitFor();
  assert.equal(await head(page, 'Space').count(), 0);
});

const region = (of, name) => of.getByRole('region', { name, exact: true });

chapter('the page of an entity has its links, labels and annotations, and leads to its file', async () => {
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'orders' });
  const { commit } = await server.api('POST', '/repositories/crew/orders/commits', {
    branch: 'main',
    message: 'Begin',
    changes: [{ path: 'deploy/orders.yaml', text: orders }],
  });
  const location = await server.api('POST', '/locations', { repository: 'crew/orders', path: 'deploy/orders.yaml' });
  await page.goto(`${server.url}/catalog/resource/default/orders`);
  const links = region(page, 'Links');
  await links.waitFor();
  await picture(page, 'entity', 'ROADBED_LOOKS');
  const board = links.getByRole('link', { name: 'Dashboard' });
  assert.deepEqual(
    await Promise.all(['href', 'rel', 'target'].map((name) => board.getAttribute(name))),
    ['https://graphs.test/d/orders?x=1', 'noopener noreferrer', '_blank'],
  );
  await links.getByRole('link', { name: 'wiki.test' }).waitFor();
  assert.equal(await links.getByRole('link', { name: 'crew@shop.test' }).getAttribute('href'), 'mailto:crew@shop.test');
  await links.getByRole('heading', { name: 'chat' }).waitFor();
  await links.getByText('slack://channel?id=1').waitFor();
  assert.equal(await links.getByRole('link').count(), 3);
  await region(page, 'Labels').getByText('gold').waitFor();
  const annotations = region(page, 'Annotations');
  assert.equal(await annotations.getByRole('link').getAttribute('href'), 'https://a.test/docs');
  assert.ok(await annotations.getByText('value 9').isHidden());
  await annotations.getByText('4 more').click();
  await annotations.getByText('value 9').waitFor();
  await region(page, 'Details').getByText('15.2').waitFor();
  await told.sound(page, 'an entity with much to tell');
  const declared = region(page, 'Where it is declared');
  assert.equal(await declared.getByRole('link', { name: 'its location' }).getAttribute('href'), `/sources/locations/${location.id}`);
  await declared.getByRole('link', { name: 'deploy/orders.yaml' }).click();
  await page.getByText('title: Orders', { exact: false }).first().waitFor();
  const there = new URL(page.url());
  assert.equal(there.pathname, '/repositories/crew/orders');
  assert.equal(there.searchParams.get('path'), 'deploy/orders.yaml');
  assert.match(there.searchParams.get('ref'), /^[0-9a-f]{40}$/);
  if (commit) assert.equal(there.searchParams.get('ref'), commit);
});

chapter('what is of a declared kind shows its spec, and people show where they belong', async () => {
  await server.api('POST', '/apply', { documents: dataset });
  await server.api('PUT', '/sources/lake/entities', { documents: sales });
  await page.goto(`${server.url}/catalog/dataset/default/sales`);
  const details = region(page, 'Details');
  for (const text of ['gold', '365', 'true', 'eu-west', 'us-east']) await details.getByText(text, { exact: true }).waitFor();
  assert.equal(await details.getByRole('link').getAttribute('href'), 'https://lake.test/sales');
  assert.ok(await details.getByText('from: raw').isHidden());
  await details.getByText('inputs').click();
  await details.getByText('from: raw').waitFor();
  await region(page, 'Related').getByRole('link', { name: 'raw' }).waitFor();
  await region(page, 'About').getByRole('link', { name: 'crew' }).waitFor();
  await told.sound(page, 'an entity of a declared kind');
  await picture(page, 'entity-declared', 'ROADBED_LOOKS');
  await region(page, 'Where it is declared').getByRole('link', { name: 'lake' }).click();
  await page.getByRole('heading', { level: 1, name: 'lake' }).waitFor();
  await page.goto(`${server.url}/catalog/dataset/default/raw`);
  await region(page, 'Where it is declared').getByText('Applied, by “roadbed apply” or the API').waitFor();

  await page.goto(`${server.url}/catalog/user/default/ada`);
  const profile = region(page, 'Profile');
  await profile.getByText('Ada Lovelace').waitFor();
  assert.equal(await profile.getByRole('link', { name: 'ada@shop.test' }).getAttribute('href'), 'mailto:ada@shop.test');
  assert.equal(await profile.getByRole('img').count(), 0); // it is elsewhere
  await told.sound(page, 'a user');
  await profile.getByRole('link', { name: 'crew' }).click();
  await page.getByRole('heading', { level: 1, name: 'crew' }).waitFor();
  await profile.getByRole('link', { name: 'ada' }).waitFor();
  await told.sound(page, 'a group');
  await picture(page, 'entity-group', 'ROADBED_LOOKS');
  await profile.getByRole('link', { name: /^\d+ entities$/ }).click();
  await page.getByText(/^\d+ entities$/).first().waitFor();
  assert.match(page.url(), /owner=group/);
});

chapter('the page of an entity is usable on a phone, and in the dark', async () => {
  const phone = await told.window(browser, server.url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  await phone.context().addCookies(await page.context().cookies());
  for (const name of ['resource/default/orders', 'dataset/default/sales', 'group/default/crew']) {
    await phone.goto(`${server.url}/catalog/${name}`);
    await region(phone, 'Where it is declared').waitFor();
    await told.sound(phone, `${name} on a phone`);
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `${name} is ${wide} px wide`);
    await picture(phone, `entity-phone-${name.split('/')[0]}`, 'ROADBED_LOOKS');
  }
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
  await phone.getByRole('checkbox', { name: 'Select all that are shown' }).check();
  await phone.getByRole('button', { name: 'Select all 603 that match' }).click();
  await phone.getByText('603 selected').waitFor();
  await told.sound(phone, 'all that match, on a phone');
  await picture(phone, 'catalog-all-phone', 'ROADBED_LOOKS');
  assert.ok((await phone.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  await phone.getByRole('button', { name: 'Select none' }).click();
  await phone.getByRole('button', { name: 'Filters' }).click();
  await phone.getByRole('dialog').getByRole('checkbox', { name: /^website / }).check();
  await phone.getByRole('button', { name: 'Show 200' }).click();
  await phone.getByText('200 entities').waitFor();
});

chapter('an owner beyond the most frequent is found and chosen', async () => {
  const owned = (i, owner) => `{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: store-${i}}, spec: {type: bucket, owner: ${owner}}}`;
  const documents = Array.from({ length: 210 }, (_, i) => [owned(`${i}-a`, `team-${i}`), owned(`${i}-b`, `team-${i}`)]).flat();
  await server.api('POST', '/apply', { documents: [...documents, owned('rare', 'zeppelin')].join('\n---\n'), source: 'stores' });
  await page.goto(`${server.url}/catalog?kind=resource`);
  const owners = filters().getByRole('region', { name: 'Owner' });
  await owners.getByRole('button', { name: 'Show the 200 most frequent' }).click();
  await owners.getByText('The 200 most frequent; find the others').waitFor();
  assert.equal(await owners.getByRole('checkbox', { name: /zeppelin/ }).count(), 0);
  await owners.getByRole('textbox', { name: 'Find in Owner' }).fill('ZEPP');
  await owners.getByRole('checkbox', { name: 'zeppelin 1' }).check();
  await page.getByText('1 entity', { exact: true }).waitFor();
  await table().getByRole('link', { name: 'store-rare' }).waitFor();
  await told.sound(page, 'finding an owner');
  await picture(page, 'catalog-owner', 'ROADBED_LOOKS');
  await owners.getByRole('textbox', { name: 'Find in Owner' }).fill('nobody of that name');
  await owners.getByText('None is like that').waitFor();
});

chapter('what was deleted tells by whom, and leads to what it was; the past is counted as it was', async () => {
  await server.api('DELETE', '/entities/resource/default/store-rare');
  await page.goto(`${server.url}/catalog/resource/default/store-rare`);
  await page.getByText(/^Deleted by /).waitFor();
  await page.getByText(/Version 2, deleted by/).waitFor();
  await told.sound(page, 'what was deleted');
  await picture(page, 'entity-deleted', 'ROADBED_LOOKS');
  await page.getByRole('link', { name: 'See it as it was last, version 1' }).click();
  await region(page, 'About').getByText('zeppelin').waitFor();
  const asOf = new URL(page.url()).searchParams.get('asOf');
  await page.goto(`${server.url}/catalog?kind=resource&owner=group%3Adefault%2Fzeppelin&asOf=${encodeURIComponent(asOf)}`);
  await table().getByRole('link', { name: 'store-rare' }).waitFor();
  await filters().getByRole('checkbox', { name: 'resource 1', exact: true }).waitFor();
  assert.equal(await filters().getByRole('region', { name: 'Gaps' }).count(), 0);
  assert.equal(await filters().getByRole('region', { name: 'State' }).count(), 0);
  await told.sound(page, 'the catalog as it was');
  await picture(page, 'catalog-past', 'ROADBED_LOOKS');
  await page.goto(`${server.url}/catalog?kind=resource&owner=group%3Adefault%2Fzeppelin`);
  await filters().getByRole('checkbox', { name: 'resource 0', exact: true }).waitFor();
  await page.goto(`${server.url}/catalog/resource/default/never-there`);
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByText(/^Deleted by /).count(), 0);
});

chapter('docs are where an entity says so, and an MCP server tells where it is reached', async () => {
  await server.api('POST', '/apply', {
    source: 'tabs',
    documents: `{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: tools}, spec: {type: mcp-server, lifecycle: production, owner: crew, remotes: [{type: streamable-http, url: 'https://tools.test/mcp'}]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: writers, annotations: {backstage.io/techdocs-entity: 'component:counter'}}, spec: {type: team, children: []}}`,
  });
  await page.goto(`${server.url}/catalog/api/default/tools?tab=definition`);
  assert.equal(await page.getByRole('textbox', { name: 'streamable-http' }).inputValue(), 'https://tools.test/mcp');
  await told.sound(page, 'an MCP server');
  await picture(page, 'entity-mcp', 'ROADBED_LOOKS');
  await page.goto(`${server.url}/catalog/group/default/writers`);
  await page.getByRole('tab', { name: 'Docs' }).waitFor();
  await page.goto(`${server.url}/catalog/group/default/crew`);
  await page.getByRole('tab', { name: 'Overview' }).waitFor();
  assert.equal(await page.getByRole('tab', { name: 'Docs' }).count(), 0);
});

chapter('the page of an entity stars it, shows it raw, has its file read again, and unregisters that', async () => {
  const pair = (name) => JSON.stringify({ apiVersion: 'backstage.io/v1alpha1', kind: 'Component', metadata: { name }, spec: { type: 'service', lifecycle: 'production', owner: 'crew' } });
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'pair' });
  await server.api('POST', '/repositories/crew/pair/commits', { branch: 'main', message: 'Begin', changes: [{ path: 'catalog-info.yaml', text: `${pair('pair-one')}\n---\n${pair('pair-two')}\n` }] });
  await server.api('POST', '/locations', { repository: 'crew/pair' });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${server.url}/catalog/component/default/pair-one`);
  const star = page.getByRole('button', { name: 'Star component:default/pair-one' });
  const more = (item) => page.getByRole('menuitem', { name: item, exact: true });
  const open = () => page.getByRole('button', { name: 'More', exact: true }).click();
  await star.click();
  await star.and(page.locator('[aria-pressed=true]')).waitFor();
  await open();
  assert.deepEqual(await page.getByRole('menuitem').allTextContents(), ['Refresh', 'Copy reference', 'Inspect', 'Unregister location']);
  await told.sound(page, 'what can be done with an entity');
  await picture(page, 'entity-actions', 'ROADBED_LOOKS');
  await more('Copy reference').click();
  await more('Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'component:default/pair-one');
  await more('Inspect').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('ref: "component:default/pair-one"').waitFor();
  await dialog.getByText('JSON', { exact: true }).click();
  await dialog.getByText('"ref": "component:default/pair-one"').waitFor();
  await dialog.getByRole('button', { name: 'Copy', exact: true }).click();
  await dialog.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())).document.metadata.name, 'pair-one');
  await told.sound(page, 'an entity as it is');
  await picture(page, 'entity-inspect', 'ROADBED_LOOKS');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await open();
  await more('Refresh').click();
  await dialog.getByText('1 of 1 location was read again.').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await open();
  await more('Unregister location').click();
  await dialog.getByText('1 location with 2 entities leaves the catalog').waitFor();
  assert.ok(await dialog.getByRole('button', { name: 'Unregister' }).isDisabled());
  await told.sound(page, 'unregistering one');
  await dialog.getByRole('checkbox', { name: 'Also the one beside it' }).check();
  await dialog.getByRole('button', { name: 'Unregister' }).click();
  await page.waitForURL(/\/catalog\?kind=component$/);
  await page.getByRole('heading', { level: 1, name: 'Catalog' }).waitFor();
  await page.goto(`${server.url}/catalog?kind=component&text=pair`);
  await page.getByText('Nothing in the catalog is like that').waitFor();
});

chapter('what was applied is deleted from its page, what is pushed is not, and of the past nothing is done', async () => {
  const items = async () => {
    await page.getByRole('button', { name: 'More', exact: true }).click();
    return page.getByRole('menuitem').allTextContents();
  };
  await page.goto(`${server.url}/catalog/dataset/default/sales`);
  assert.deepEqual(await items(), ['Copy reference', 'Inspect']);
  await page.goto(`${server.url}/catalog/api/default/tools`);
  assert.deepEqual(await items(), ['Copy reference', 'Inspect', 'Delete']);
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await page.waitForURL(/\/catalog\?kind=api$/);
  await page.goto(`${server.url}/catalog/api/default/tools`);
  await page.getByRole('link', { name: 'See it as it was last, version 1' }).click();
  await page.getByText('It was deleted since').waitFor();
  assert.deepEqual(await items(), ['Copy reference', 'Inspect']);
  await page.keyboard.press('Escape');
  assert.deepEqual(await page.getByRole('tab').allTextContents(), ['Overview', 'Definition', 'Relations', 'History', 'Document']);
  assert.equal(await page.getByRole('button', { name: /^Star/ }).count(), 0);
  await page.getByRole('tab', { name: 'Definition' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'streamable-http' }).inputValue(), 'https://tools.test/mcp');
  await told.sound(page, 'the page of what is deleted, as it was');
  await picture(page, 'entity-past', 'ROADBED_LOOKS');
});

chapter('all that match are selected beyond the rows that are read, starred and deleted, with what stays told', async () => {
  const bar = page.getByRole('region', { name: 'Selected entities' });
  const starred = async () => (await server.api('GET', '/entities?kind=resource&limit=1&starred=true')).total;
  const { total } = await server.api('GET', '/entities?kind=resource&limit=1');
  assert.ok(total > 400);
  await page.goto(`${server.url}/catalog?kind=resource&sort=-name`);
  await page.getByText(`${total} entities`).waitFor();
  await page.getByRole('checkbox', { name: 'Select all that are shown' }).check();
  await bar.getByText('200 selected').waitFor();
  await bar.getByRole('button', { name: `Select all ${total} that match` }).click();
  await bar.getByText(`${total} selected`).waitFor();
  await bar.getByText('at most 200 are changed at once').waitFor();
  assert.ok(await bar.getByRole('button', { name: 'Change owner' }).isDisabled());
  await told.sound(page, 'all that match');
  await picture(page, 'catalog-all', 'ROADBED_LOOKS');
  await bar.getByRole('button', { name: 'Star', exact: true }).click();
  await bar.getByRole('button', { name: 'Stop' }).waitFor();
  await told.sound(page, 'much that is being done');
  await bar.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' });
  assert.equal(await starred(), total);
  await bar.getByRole('button', { name: 'Refresh' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 of 1 location was read again.').waitFor();
  await dialog.getByText(`${total - 1} come from no file`).waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await bar.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByText(new RegExp(`^Deleted: \\d+ of ${total}$`)).waitFor();
  await picture(page, 'catalog-all-deleting', 'ROADBED_LOOKS');
  await dialog.getByText(`${total - 1} of ${total} were deleted.`).waitFor({ timeout: 2 * minute });
  await dialog.getByRole('listitem').filter({ hasText: /^resource:default\/orders: .* is declared in deploy\/orders.yaml/ }).waitFor();
  await told.sound(page, 'what stays of many');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByText('1 entity', { exact: true }).waitFor();
  assert.equal(await bar.count(), 0);
});

chapter('nothing broke', async () => told.end());
