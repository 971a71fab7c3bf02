// An organization of a forge is discovered, and where the catalog comes from is looked at.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('sources');
const { chapter } = told;
let server;
let browser;
let page;
let forge;
let more = false;

const repository = (id, name, rest = {}) => ({
  id,
  full_name: `acme/${name}`,
  default_branch: 'main',
  html_url: `https://git.example.com/acme/${name}`,
  clone_url: `https://git.example.com/acme/${name}.git`,
  updated_at: '2026-01-01T00:00:00Z',
  ...rest,
});

// What of Gitea's API a discovery asks for.
const answers = {
  '/api/v1/token': {
    scopes: ['write:repository', 'write:issue', 'write:organization', 'read:user'],
    user: { id: 1, login: 'ann', full_name: 'Ann' },
  },
  '/api/v1/version': { version: '1.27.3' },
  '/api/v1/settings/api': { max_response_items: 50, default_paging_num: 30 },
  '/api/v1/user': { id: 1, login: 'ann' },
  '/api/v1/repos/search': { ok: true, data: [repository(1, 'shop')] },
  '/api/v1/orgs/acme/repos': () => [
    repository(1, 'shop'),
    repository(2, 'notes'),
    repository(3, 'legacy', { archived: true }),
    ...(more ? [repository(4, 'playground')] : []),
  ],
  '/api/v1/repos/acme/shop': repository(1, 'shop'),
  '/api/v1/repos/acme/shop/git/commits/main': { sha: 'a'.repeat(40), commit: { message: 'first' } },
  '/api/v1/repos/acme/shop/raw/catalog-info.yaml': { kind: 'Component' },
  '/api/v1/orgs/acme/teams': [{ id: 1, name: 'builders', description: 'They build' }],
  '/api/v1/orgs/acme/members': [{ id: 1, login: 'ann', full_name: 'Ann Archer' }],
  '/api/v1/teams/1/members': [{ id: 1, login: 'ann', full_name: 'Ann Archer' }],
};
before(async () => {
  forge = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://forge');
    const known = answers[pathname];
    response.writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(known ? (typeof known === 'function' ? known() : known) : { message: 'not found' }));
  });
  await new Promise((resolve) => forge.listen(0, '127.0.0.1', resolve));
  process.env.ROADBED_ALLOW_PRIVATE = '127.0.0.0/8';
  server = await start();
  await server.api('PUT', '/secrets/default/forge', { value: 'right' });
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  forge?.close();
});

chapter('the page says what sources there may be', async () => {
  await page.getByRole('navigation').getByRole('link', { name: 'Sources' }).click();
  await page.waitForURL(`${server.url}/sources`);
  await page.getByText('No organization is discovered').waitFor();
  await page.getByText('No directory brings people').waitFor();
  await page.getByText('No system pushes').waitFor();
  await told.sound(page, 'no sources');
});

chapter('an organization is discovered', async () => {
  const documents = `{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: "http://127.0.0.1:${forge.address().port}", token: {secretRef: default/forge}}}
---
{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: forge, organization: acme, repositories: {}, people: {users: true, teams: true, namespace: acme}}}`;
  await server.api('POST', '/apply', { source: 'journey', documents });
  await server.api('PUT', '/sources/cmdb/entities', {
    documents: '{apiVersion: backstage.io/v1alpha1, kind: System, metadata: {name: tills}, spec: {}}',
  });
  await page.reload();
  await page.getByRole('link', { name: 'acme', exact: true }).click();
  await page.getByText('healthy').first().waitFor();
  const row = (name) => page.getByRole('row', { name });
  await row(/acme\/shop registered/).waitFor();
  await row(/acme\/notes without/).waitFor();
  await row(/acme\/legacy excluded .*it is archived/).waitFor();
  await told.sound(page, 'a discovery');
  await picture(page, 'discovery', 'ROADBED_LOOKS');
  await page.getByText('excluded', { exact: true }).first().click();
  await page.waitForURL(/state=excluded/);
  await row(/acme\/notes/).waitFor({ state: 'detached' });
});

chapter('it is looked at again when somebody asks', async () => {
  more = true;
  await page.goto(`${server.url}/sources/discoveries/default/acme`);
  await page.getByRole('button', { name: 'Look now at acme' }).click();
  await page.getByRole('row', { name: /acme\/playground without/ }).waitFor();
});

chapter('all sources are on one page, and each has its own', async () => {
  await page.goto(`${server.url}/sources`);
  await page.getByRole('link', { name: 'cmdb' }).waitFor();
  await page.getByRole('link', { name: 'acme/shop:catalog-info.yaml' }).waitFor();
  await told.sound(page, 'sources');
  await picture(page, 'sources', 'ROADBED_LOOKS');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${server.url}/sources`);
  await page.getByRole('link', { name: 'acme/shop:catalog-info.yaml' }).waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `on a phone the page is ${wide} wide`);
  await picture(page, 'sources-phone', 'ROADBED_LOOKS');
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole('link', { name: 'acme/shop:catalog-info.yaml' }).click();
  await page.getByRole('button', { name: 'Read now' }).waitFor();
  await told.sound(page, 'a location');
  await page.goto(`${server.url}/sources/pushed/cmdb`);
  await page.getByText('What is wrong').first().waitFor();
  await told.sound(page, 'a pushed source');
});

chapter('a component is registered by the address of its file, after a look at what it brings', async () => {
  await server.api('POST', '/repositories', { namespace: 'crew', name: 'till' });
  const till = '{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: till}, spec: {type: service, lifecycle: production, owner: crew}}';
  const squad = '{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: squad}, spec: {type: team, children: []}}';
  await server.api('POST', '/repositories/crew/till/commits', {
    branch: 'main',
    message: 'first',
    changes: [
      { path: 'catalog-info.yaml', text: `${till}\n---\n${squad}\n` },
      { path: 'bad.yaml', text: '{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: bad}, spec: {}}\n' },
    ],
  });
  await page.goto(`${server.url}/catalog`);
  await page.getByRole('link', { name: 'Register', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Register a component' });
  const address = dialog.getByRole('textbox', { name: 'Address of its file' });
  await address.fill('https://forge.example.com/acme/none/blob/main/catalog-info.yaml');
  await dialog.getByRole('button', { name: 'Look at it' }).click();
  await dialog.getByText('connect it first').waitFor();
  await address.fill(`${server.url}/git/crew/till/bad.yaml`);
  await dialog.getByRole('button', { name: 'Look at it' }).click();
  await dialog.getByText('Nothing of crew/till:bad.yaml can be taken').waitFor();
  assert.ok(await dialog.getByRole('button', { name: 'Register' }).isDisabled(), 'what brings nothing can be registered');
  await address.fill(`${server.url}/git/crew/till`);
  await address.press('Enter');
  await dialog.getByText('brings 1 entity').waitFor();
  await dialog.getByText('component:default/till').waitFor();
  await dialog.getByText('not trusted').first().waitFor();
  await told.sound(page, 'a look at an address');
  await picture(page, 'register', 'ROADBED_LOOKS');
  const before = await server.api('GET', '/locations?repository=crew/till');
  assert.equal(before.items.length, 0, 'the look has registered it');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await page.waitForURL(/\/sources\/locations\/loc_/);
  await page.getByRole('link', { name: 'till', exact: true }).waitFor();
});

chapter('it is trusted for groups and ruled on its page', async () => {
  const facts = page.getByRole('region', { name: 'What it may bring' });
  await facts.getByText('any kind that is not restricted').waitFor();
  await facts.getByRole('button', { name: 'Change the trust' }).click();
  const trust = page.getByRole('dialog', { name: 'The trust in this location' });
  await trust.getByRole('combobox', { name: 'Restricted kinds' }).click();
  await page.getByRole('option', { name: 'Group', exact: true }).click();
  await picture(page, 'trust', 'ROADBED_LOOKS');
  await page.keyboard.press('Tab'); // what is chosen from covers the button
  await page.getByRole('option', { name: 'Group', exact: true }).waitFor({ state: 'hidden' });
  await told.sound(page, 'trust in a location');
  await trust.getByRole('button', { name: 'Save' }).click();
  await trust.waitFor({ state: 'detached' });
  await facts.getByText('Group', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'squad', exact: true }).waitFor();

  await facts.getByRole('button', { name: 'Change the rules' }).click();
  const rules = page.getByRole('dialog', { name: 'The rules of this location' });
  await rules.getByRole('combobox', { name: 'Orphans' }).click();
  await page.getByRole('option', { name: 'Are kept' }).click();
  await rules.getByRole('button', { name: 'Save' }).click();
  await rules.waitFor({ state: 'detached' });
  await facts.getByText('are kept', { exact: true }).waitFor();
  await picture(page, 'location', 'ROADBED_LOOKS');
  await page.getByRole('link', { name: 'In the catalog' }).click();
  await page.getByRole('button', { name: /Take away: from loc_/ }).waitFor();
  await page.getByText('2 entities').waitFor();
});

chapter('a location that failed is found among the others', async () => {
  await server.api('POST', '/locations', { repository: 'crew/till', path: 'bad.yaml' });
  await page.goto(`${server.url}/sources`);
  await page.getByRole('link', { name: 'crew/till:catalog-info.yaml' }).waitFor();
  await page.getByRole('checkbox', { name: 'Failed' }).check();
  await page.waitForURL(/failed=/);
  await page.getByRole('link', { name: 'crew/till:catalog-info.yaml' }).waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'crew/till:bad.yaml' }).waitFor();
  await picture(page, 'sources-failed', 'ROADBED_LOOKS');
  await page.getByRole('textbox', { name: 'Part of a repository or path' }).fill('till:CATALOG');
  await page.getByText('No location is like that').waitFor();
  await page.getByRole('checkbox', { name: 'Failed' }).uncheck();
  await page.getByRole('link', { name: 'crew/till:catalog-info.yaml' }).waitFor();
  await told.sound(page, 'locations that are looked for');
});

chapter('a directory of people is written by a provider, and its page says how', async () => {
  await server.api('POST', '/apply', {
    source: 'journey',
    documents: '{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: okta}, spec: {scim: {}}}',
  });
  const address = `${server.url}/scim/v2/default/okta`;
  const made = await fetch(`${address}/Users`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/scim+json', Authorization: `Bearer ${server.token}` },
    body: JSON.stringify({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: 'grace@example.com', displayName: 'Grace', active: true }),
  });
  assert.equal(made.status, 201, await made.text());
  await page.goto(`${server.url}/sources`);
  await page.getByRole('link', { name: 'okta', exact: true }).click();
  await page.getByRole('heading', { name: 'Connect a provider' }).waitFor();
  assert.match(await page.getByRole('textbox', { name: 'Address' }).inputValue(), /\/scim\/v2\/default\/okta$/);
  await page.getByText('written by SCIM').waitFor();
  await told.sound(page, 'a directory');
  await picture(page, 'directory', 'ROADBED_LOOKS');
  await page.goto(`${server.url}/catalog/user/default/grace_example.com`);
  await page.getByRole('heading', { name: 'Grace' }).waitFor();
});

chapter('nothing broke', () => told.end());
