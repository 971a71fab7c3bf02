// Scorecards and the radar, as who answers for a service looks at them.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const minute = 60_000;
const told = story('insight');
const { chapter } = told;
let server;
let browser;
let page;

/** Two teams, one below the other, with services that say more or less of themselves. */
function company() {
  const all = [];
  const add = (kind, metadata, spec, apiVersion = 'backstage.io/v1alpha1') => all.push({ apiVersion, kind, metadata, spec });
  add('Group', { name: 'division' }, { type: 'division', children: [] });
  add('Group', { name: 'crew' }, { type: 'team', parent: 'division', children: [] });
  add('System', { name: 'shop' }, { owner: 'division' });
  for (let i = 0; i < 12; i++)
    add(
      'Component',
      { name: `service-${i}`, title: `Service ${i}`, tags: ['erlang'], ...(i % 3 && { description: `Does what service ${i} does` }) },
      { type: 'service', lifecycle: 'production', owner: i % 2 ? 'crew' : 'division', ...(i % 4 === 1 && { system: 'shop' }) },
    );
  add(
    'Scorecard',
    { name: 'ready', title: 'Ready for production', description: 'What a service has before people rely on it.' },
    {
      owner: 'division',
      filter: { kinds: ['Component'], types: ['service'] },
      levels: [
        { name: 'bronze', title: 'Bronze' },
        { name: 'silver', title: 'Silver' },
        { name: 'gold', title: 'Gold' },
      ],
      rules: [
        { id: 'owner', title: 'Has an owner', level: 'bronze', expression: 'owner != ""' },
        { id: 'says', title: 'Says what it is', level: 'silver', expression: 'has(entity.metadata.description)', remedy: 'Write a sentence into `metadata.description`.' },
        { id: 'system', title: 'Belongs to a system', level: 'gold', expression: 'relations.exists(r, r.type == "partOf")', remedy: 'Set `spec.system`.' },
      ],
    },
    'roadbed.dev/v1',
  );
  add(
    'TechRadar',
    { name: 'company', title: 'What we build with', description: 'Looked through twice a year.' },
    {
      owner: 'division',
      quadrants: ['Languages', 'Platforms', 'Tools', 'Practices'].map((title) => ({ id: title.toLowerCase(), title })),
      rings: [{ id: 'adopt', title: 'Adopt', color: 'green' }, { id: 'try', title: 'Try', color: 'blue' }, { id: 'hold', title: 'Hold', color: 'orange' }],
      entries: [
        { id: 'erlang', title: 'Erlang', quadrant: 'languages', ring: 'adopt', tag: 'erlang', moved: 'in', description: 'For what must **not** stop.', timeline: [{ date: '2026-05-01', ring: 'adopt' }] },
        { id: 'go', title: 'Go', quadrant: 'languages', ring: 'adopt' },
        { id: 'postgresql', title: 'PostgreSQL', quadrant: 'platforms', ring: 'adopt' },
        { id: 'wasm', title: 'WebAssembly', quadrant: 'platforms', ring: 'try', moved: 'new' },
        { id: 'shell', title: 'Long shell scripts', quadrant: 'tools', ring: 'hold', moved: 'out' },
        { id: 'trunk', title: 'Trunk-based development', quadrant: 'practices', ring: 'adopt' },
      ],
    },
    'roadbed.dev/v1',
  );
  return all.map((d) => JSON.stringify(d)).join('\n---\n');
}

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents: company(), source: 'company' });
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
}, { timeout: 2 * minute });
after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('the scorecards are in the side bar, each with its levels', async () => {
  await page.goto(server.url);
  await page.getByRole('link', { name: 'Scorecards', exact: true }).click();
  await page.getByText('Gold 2').waitFor();
  await page.getByText('Silver 6').waitFor();
  await page.getByText('Bronze 4').waitFor();
  await told.sound(page, 'the scorecards');
  await page.getByRole('link', { name: 'Open Ready for production' }).click();
  await page.getByRole('heading', { name: '12 are judged' }).waitFor();
});

chapter('a scorecard tells of all, of each team with those below, and of who fails a rule', async () => {
  await page.getByRole('img', { name: /How many were at which level/ }).waitFor();
  await page.getByRole('button', { name: '4 fail Says what it is' }).click();
  const entities = page.getByRole('table', { name: 'Entities' });
  await entities.getByRole('row').nth(5).waitFor({ state: 'detached' });
  await entities.getByRole('link', { name: /service-9/ }).waitFor();
  assert.equal(await entities.getByRole('row').count(), 5);
  assert.match(page.url(), /failing=says/);
  await told.sound(page, 'a scorecard');
  await picture(page, 'scorecard', 'ROADBED_INSIGHT_PICTURES');
  await page.getByRole('table', { name: 'Teams' }).getByRole('button', { name: 'crew' }).click();
  await page.getByRole('heading', { name: '6 are judged' }).waitFor();
});

chapter('the page of a service tells what to do for the next level, and follows what is done', async () => {
  await page.goto(`${server.url}/catalog/component/default/service-2?tab=scorecards`);
  await page.getByRole('heading', { name: 'To reach Gold' }).waitFor();
  await page.getByText('spec.system').waitFor();
  await told.sound(page, 'what scorecards say of a service');
  await picture(page, 'standing', 'ROADBED_INSIGHT_PICTURES');
  await server.api('POST', '/apply', {
    source: 'company',
    documents: JSON.stringify({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: { name: 'service-2', title: 'Service 2', tags: ['erlang'], description: 'Does what it does' },
      spec: { type: 'service', lifecycle: 'production', owner: 'division', system: 'shop' },
    }),
  });
  await page.getByText('3 of 3 rules pass').waitFor({ timeout: minute });
  await page.reload();
  const history = page.getByRole('table', { name: 'How it was judged' });
  await history.getByRole('cell', { name: 'gold' }).waitFor();
  await history.getByRole('cell', { name: 'silver' }).waitFor();
});

chapter('what scanners and other tools tell of a service is beside its levels, the worst first', async () => {
  const service = '/entities/component/default/service-2';
  await server.api('PUT', `${service}/metrics/coverage`, { value: 81.5, unit: '%', url: 'https://coverage.example.com/service-2' });
  await server.api('PUT', `${service}/findings/scanner`, {
    findings: [
      { id: 'crack', severity: 'low', title: 'A crack in the wall' },
      { id: 'hole', severity: 'critical', title: 'A hole in the wall', url: 'https://example.com/hole' },
    ],
  });
  await page.getByRole('heading', { name: 'Findings: 1 critical, 1 low' }).waitFor({ timeout: minute });
  await page.getByRole('table', { name: 'Metrics' }).getByRole('cell', { name: '81.5%' }).waitFor({ timeout: minute });
  const findings = page.getByRole('table', { name: 'Findings' });
  assert.match(await findings.getByRole('row').nth(1).innerText(), /critical\s+A hole in the wall/);
  assert.equal(await findings.getByRole('link', { name: 'A hole in the wall' }).getAttribute('href'), 'https://example.com/hole');
  await told.sound(page, 'what tools tell of a service');
  await picture(page, 'facts', 'ROADBED_INSIGHT_PICTURES');
  await page.getByRole('combobox', { name: 'severity' }).or(page.getByRole('textbox', { name: 'severity' })).click();
  await page.getByRole('option', { name: 'low' }).click();
  await findings.getByText('A hole in the wall').waitFor({ state: 'detached' });
  await findings.getByText('A crack in the wall').waitFor();
});

chapter('the radar is a picture and a list; an entry leads to who uses it', async () => {
  await page.goto(`${server.url}/radars`);
  await page.getByRole('link', { name: 'What we build with' }).click();
  await page.getByRole('link', { name: 'Erlang, adopt, moved in' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('For what must').waitFor();
  await told.sound(page, 'the radar');
  await picture(page, 'radar', 'ROADBED_INSIGHT_PICTURES');
  await page.getByRole('link', { name: '12 use it' }).first().click();
  await page.getByText('12 entities').waitFor();
});
