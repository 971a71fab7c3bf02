// A company of five hundred entities, its graph and its past, as somebody looks at them in the portal.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('graph');
const { chapter } = told;
let server;
let browser;
let page;
let early;

/** Groups in a tree, systems of services that need each other, their APIs and databases: 500 in all. */
function company() {
  const all = [];
  const add = (kind, name, spec, title) =>
    all.push({ apiVersion: 'backstage.io/v1alpha1', kind, metadata: { name, ...(title && { title }) }, spec });
  for (let g = 0; g < 20; g++)
    add('Group', `team-${g}`, { type: 'team', children: [], ...(g > 0 && { parent: `team-${Math.floor((g - 1) / 4)}` }) });
  add('Domain', 'shopping', { owner: 'team-0' });
  for (let s = 0; s < 19; s++) add('System', `system-${s}`, { owner: `team-${s}`, domain: 'shopping' });
  const size = 11; // of a system
  for (let i = 0; i < 200; i++) {
    const system = Math.floor(i / size);
    const within = i % size;
    const near = within > 0 ? system * size + Math.floor((within - 1) / 2) : Math.floor((system - 1) / 3) * size;
    const needs = new Set([...(i > 0 ? [near] : []), ...(i > 0 && i % 5 === 0 ? [(i * 7) % i] : [])]);
    add('Component', `service-${i}`, {
      type: 'service',
      lifecycle: 'production',
      owner: `team-${system}`,
      system: `system-${system}`,
      providesApis: i === 0 ? Array.from({ length: 23 }, (_, a) => `api-${a}`) : i < 158 ? [`api-${i + 22}`] : [],
      consumesApis: i % 4 === 1 ? [`api-${(i * 7) % 23}`] : [],
      dependsOn: [...[...needs].map((n) => `component:service-${n}`), `resource:db-${Math.floor(i / 2.5)}`],
    });
  }
  for (let a = 0; a < 180; a++) {
    const by = a < 23 ? 0 : a - 22;
    const owner = `team-${Math.floor(by / size)}`;
    add('API', `api-${a}`, { type: 'openapi', lifecycle: 'production', owner, definition: 'openapi: 3.1.0' });
  }
  for (let r = 0; r < 80; r++)
    add('Resource', `db-${r}`, { type: 'database', owner: `team-${Math.floor((r * 2.5) / size)}` }, `Database ${r}`);
  return all;
}

const apply = (documents) =>
  server.api('POST', '/apply', { documents: documents.map((d) => JSON.stringify(d)).join('\n---\n'), source: 'company' });

before(async () => {
  server = await start();
  const all = company();
  assert.equal(all.length, 500);
  await apply(all);
  early = new Date().toISOString();
  await apply([{ ...all.find((d) => d.metadata.name === 'service-7'), metadata: { name: 'service-7', title: 'Lucky Seven' } }]);
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
}, { timeout: 2 * minute });
after(async () => {
  await browser?.close();
  await server?.stop();
});

const canvas = () => page.getByRole('region', { name: 'Graph', exact: true });
/** Waits until the layout is done, and gives how many boxes are drawn. */
const boxes = async () => Number(await canvas().and(page.locator('[aria-busy=false][data-boxes]')).getAttribute('data-boxes'));

chapter('a graph of five hundred entities is folded until it can be read, and unfolds', async () => {
  await page.goto(`${server.url}/graph?root=component:default/service-0&depth=10`);
  const folded = await boxes();
  assert.ok(folded > 20 && folded <= 60, `${folded} boxes`);
  await page.getByText(/^500 entities in \d+ boxes/).waitFor();
  await page.getByText('Draw who owns what, too').waitFor();
  await told.sound(page, 'the graph');
  await picture(page, 'graph', 'ROADBED_GRAPH_PICTURES');
  await page.getByRole('button', { name: /^system-1 System/ }).click();
  await page.getByRole('button', { name: 'Fold again' }).waitFor();
  assert.ok((await boxes()) > folded);
  await picture(page, 'graph-unfolded', 'ROADBED_GRAPH_PICTURES');
  await page.goto(`${server.url}/graph?root=component:default/service-0&depth=10&group=none`);
  const whole = await boxes();
  assert.ok(whole > 200, `${whole} boxes`);
  const there = await canvas().locator('.react-flow__node').count();
  assert.ok(there > 0 && there < whole / 2, `${there} of ${whole} boxes are drawn where a part is seen`);
  await told.sound(page, 'the whole graph');
  await picture(page, 'graph-whole', 'ROADBED_GRAPH_PICTURES');
});

chapter('a box tells of itself and leads on, also by the keyboard', async () => {
  await page.goto(`${server.url}/graph?root=component:default/service-7`);
  await boxes();
  await page.getByRole('button', { name: /^service-3 / }).press('Enter');
  const card = page.getByRole('article', { name: 'About service-3' });
  await card.getByText('service-7, depends on service-3').waitFor();
  assert.match(page.url(), /at=/);
  await told.sound(page, 'a chosen box');
  await card.getByRole('link', { name: 'What depends on it' }).click();
  await page.getByRole('heading', { name: 'Graph of service-3' }).waitFor();
  await page.getByText('1 step ·').waitFor();
});

chapter('what hangs on one entity is folded, and unfolds', async () => {
  await page.goto(`${server.url}/graph?root=component:default/service-0&depth=1&relations=providesApi&group=none`);
  const fold = page.getByRole('button', { name: '+23 APIs' });
  await fold.waitFor();
  const folded = await boxes();
  await fold.click();
  await page.getByRole('button', { name: 'api-22' }).waitFor();
  assert.match(page.url(), /open=/);
  assert.equal(await boxes(), folded + 22);
  await page.getByRole('button', { name: 'Fold again' }).click();
  await fold.waitFor();
  await picture(page, 'graph-folded', 'ROADBED_GRAPH_PICTURES');
});

chapter('impact goes outward, a text is found, and the list tells the same', async () => {
  await page.goto(`${server.url}/graph?root=resource:default/db-0&view=impact`);
  await boxes();
  await picture(page, 'graph-impact', 'ROADBED_GRAPH_PICTURES');
  await page.getByRole('textbox', { name: 'Find in the graph' }).fill('service-3');
  await page.getByText(/, [1-9]\d* found$/).waitFor();
  await page.getByRole('radiogroup', { name: 'Look' }).getByText('List').click();
  const table = page.getByRole('table', { name: 'Entities of the graph' });
  await table.getByText('dependency of service-1, dependency of service-3', { exact: true }).waitFor();
  await told.sound(page, 'the list of the graph');
});

chapter('an entity and the catalog as they were, and what changed since', async () => {
  await page.goto(`${server.url}/catalog/component/default/service-7?tab=history`);
  await page.getByRole('heading', { name: 'Lucky Seven' }).waitFor();
  await page.getByText('+ metadata.title: Lucky Seven').waitFor();
  await told.sound(page, 'the history');
  await page.getByLabel('Until', { exact: true }).fill('2020-01-01T00:00');
  await page.getByText('No version of that').waitFor();
  await page.getByRole('button', { name: 'At any time' }).click();
  await page.getByText(/^Version 1, created/).click();
  await page.getByRole('link', { name: 'See it as it was' }).last().click();
  await page.getByRole('heading', { name: 'service-7' }).waitFor();
  await page.getByText('as far as you may see it today').waitFor();
  await told.sound(page, 'an entity as it was');
  await page.getByRole('button', { name: 'Back to now' }).click();
  await page.getByRole('heading', { name: 'Lucky Seven' }).waitFor();
  await page.goto(`${server.url}/catalog?text=service-7&asOf=${early}`);
  await page.getByRole('link', { name: 'service-7' }).first().waitFor();
  await told.sound(page, 'the catalog as it was');
  await page.goto(`${server.url}/changes?from=${early}`);
  await page.getByText(/^updated/).click();
  await page.getByText('+ metadata.title: Lucky Seven').waitFor();
  await told.sound(page, 'what changed');
  await picture(page, 'changes', 'ROADBED_GRAPH_PICTURES');
});

chapter('who depended on it then, from its page of then, and back to now', async () => {
  const seven = company().find((d) => d.metadata.name === 'service-7');
  await apply([{ ...seven, spec: { ...seven.spec, dependsOn: [] } }]);
  await page.goto(`${server.url}/catalog/component/default/service-3?tab=relations&asOf=${early}`);
  const relations = page.getByRole('table', { name: 'Relations' });
  await relations.getByRole('link', { name: 'service-7', exact: true }).waitFor();
  await page.getByRole('link', { name: 'What depends on it' }).click();
  await page.getByText('as far as you may see it today').waitFor();
  await page.getByRole('radiogroup', { name: 'Look' }).getByText('List').click();
  const table = page.getByRole('table', { name: 'Entities of the graph' });
  await table.getByRole('link', { name: 'service-7', exact: true }).waitFor();
  await told.sound(page, 'the graph as it was');
  await page.getByRole('button', { name: 'Back to now' }).click();
  await table.getByRole('link', { name: 'service-7', exact: true }).waitFor({ state: 'detached' });
  await table.getByRole('link', { name: 'service-3', exact: true }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('asOf'), null);
});

chapter('no page broke', () => told.end());
