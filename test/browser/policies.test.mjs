// Policies are looked at, a change of one is tried on what was recorded, and replayed over all of it; what one gives is shown.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, pictures, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('policies');
const { chapter } = told;
let server;
let browser;
let page;

const doors = `package spacelift

allow { input.session.member }
`;

const documents = [
  { kind: 'Policy', metadata: { name: 'doors' }, spec: { point: 'login', description: 'Who may sign in.', rego: doors } },
  {
    kind: 'Policy',
    metadata: { name: 'careful' },
    spec: {
      point: 'plan',
      description: 'Nothing of production is deleted.',
      labels: ['autoattach:production'],
      rego: 'package spacelift\n\ndeny["nothing is deleted here"] { deleted_resources[_] }\n',
    },
  },
]
  .map((d) => JSON.stringify({ apiVersion: 'roadbed.dev/v1', ...d }))
  .join('\n---\n');

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents, source: 'policies' });
  for (let i = 0; i < 30; i++) {
    const { code } = await server.api('POST', '/signin-links', { user: 'user:default/admin' });
    await fetch(`${server.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code }),
    });
  }
  browser = await launch();
  page = await told.person(browser, server.url, server.link);
}, { timeout: 60_000 });
after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('policies are listed by point, with what they are asked about', async () => {
  await page.getByRole('navigation').getByRole('link', { name: 'Policies', exact: true }).click();
  const list = page.getByRole('table', { name: 'Policies' });
  await list.getByRole('link', { name: 'four-eyes' }).waitFor();
  assert.match(await list.getByRole('row', { name: /careful/ }).innerText(), /production/);
  await page.getByRole('table', { name: 'Decided last' }).getByRole('link', { name: /^allow: / }).first().waitFor();
  await told.sound(page, 'policies');
  await picture(page, 'policies');
  await page.getByRole('combobox', { name: 'Point' }).click();
  await page.getByRole('option', { name: 'login' }).click();
  await list.getByRole('link', { name: 'four-eyes' }).waitFor({ state: 'detached' });
  await list.getByRole('link', { name: 'doors' }).click();
  await page.getByRole('heading', { name: 'doors', level: 1 }).waitFor();
});

chapter('a changed source is tried on a decision', async () => {
  const editor = page.getByRole('textbox', { name: /^Text of / });
  await editor.click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\ndeny["nobody today"] { true }\n');
  await page.getByRole('combobox', { name: 'On the input of' }).click();
  await page.getByRole('option').first().click();
  await page.getByRole('button', { name: 'Try', exact: true }).click();
  await page.getByText(/It was decided: allow: /).waitFor();
  await page.getByText(/It would be: deny: nobody today/).waitFor();
  await told.sound(page, 'workbench');
  await picture(page, 'policy-workbench');
});

chapter('the changed source is replayed over all decisions', async () => {
  await page.getByRole('button', { name: 'Replay the changed source over all decisions' }).click();
  await page.getByText(/All decisions were looked at: it takes part in 3\d, and 3\d would have come out otherwise/).waitFor();
  const rows = page.getByRole('table', { name: 'Decisions that would have come out otherwise' });
  assert.match(await rows.innerText(), /deny: nobody today/);
  await told.sound(page, 'replay');
  await picture(page, 'policy-replay');
  await rows.getByRole('link').first().click();
});

chapter('a decision shows what it was made from', async () => {
  await page.getByRole('heading', { name: 'Decision at login', level: 1 }).waitFor();
  await page.getByText('"remote_ip"').waitFor();
  await told.sound(page, 'decision');
  await page.getByRole('link', { name: 'Try a change of doors on this' }).click();
  await page.getByRole('heading', { name: 'doors', level: 1 }).waitFor();
});

chapter('what a login policy gave a session is in the menu of its person, until that policy changes', async () => {
  const guide = (rego) =>
    server.api('POST', '/apply', {
      source: 'guests',
      documents: [
        { apiVersion: 'roadbed.dev/v1', kind: 'Space', metadata: { name: 'payments' }, spec: { parent: 'default' } },
        { apiVersion: 'backstage.io/v1alpha1', kind: 'Group', metadata: { name: 'helpers' }, spec: { type: 'team', children: [] } },
        { apiVersion: 'backstage.io/v1alpha1', kind: 'User', metadata: { name: 'mara' }, spec: { memberOf: [], profile: { displayName: 'Mara' } } },
        { apiVersion: 'roadbed.dev/v1', kind: 'Policy', metadata: { name: 'guests' }, spec: { point: 'login', rego } },
      ]
        .map((d) => JSON.stringify(d))
        .join('\n---\n'),
    });
  await guide(`package spacelift

guest { count(input.session.teams) == 0 }
allow { guest }
roles["default"]["reader"] { guest }
space_admin["payments"] { guest }
team["helpers"] { guest }
`);
  const link = async (who) => (await server.api('POST', '/signin-links', { user: `user:default/${who}` })).url;
  const mara = await told.person(browser, server.url, await link('mara'));
  await mara.getByRole('button', { name: /^Mara: / }).click();
  const menu = mara.getByRole('menu');
  const given = await menu.getByText(/For this session: /).innerText();
  for (const what of ['reader in default', 'admin in payments', 'as of group:default/helpers']) assert.ok(given.includes(what), `${what} in ${given}`);
  await told.sound(mara, 'the menu of a person');
  await pictures(mara, 'person-menu-lent');

  // The policy changes: the session has ended, and the ledger tells of it.
  await guide('package spacelift\n\nallow { true }\n');
  await mara.goto('/ledger');
  await mara.getByRole('heading', { name: 'Sign in to Roadbed' }).waitFor();
  await mara.goto(await link('mara'));
  await mara.getByRole('button', { name: /^Mara: / }).click();
  await menu.getByText('user:default/mara').waitFor();
  assert.equal(await menu.getByText(/For this session: /).count(), 0);
  const admin = await told.person(browser, server.url, await link('admin'));
  await admin.goto('/ledger?type=session.ended');
  await admin.getByRole('button', { name: 'session ended: a login policy changed' }).waitFor();
  await told.sound(admin, 'the end of a session in the ledger');
  await pictures(admin, 'ledger-session-ended');
});

chapter('a changed source is published once it was replayed, and not before', async () => {
  const second = await page.context().newPage();
  await second.goto('/policies/default/careful');
  await second.getByRole('textbox', { name: /^Text of / }).click();
  await second.keyboard.press('Control+End');
  await second.keyboard.type('\nwarn["look twice"] { true }\n');
  const publish = second.getByRole('button', { name: 'Publish…' });
  const replay = second.getByRole('button', { name: 'Replay the changed source over all decisions' });
  await replay.waitFor();
  assert.equal(await publish.count(), 0);
  await replay.click();
  await publish.waitFor();
  await second.getByRole('textbox', { name: /^Text of / }).click();
  await second.keyboard.press('Control+End');
  await second.keyboard.type('# and then\n');
  await second.getByText('The source was changed since; replay it once more').waitFor();
  assert.equal(await publish.count(), 0);
  await replay.click();
  await publish.click();
  const dialog = second.getByRole('dialog');
  assert.match(await dialog.getByRole('textbox', { name: 'Document' }).inputValue(), /look twice[^]*# and then/);
  await dialog.getByRole('button', { name: 'Show what it will do' }).click();
  await dialog.getByRole('status', { name: 'What it will do' }).getByText(/Applies in space default/).waitFor();
  await told.sound(second, 'what publishing a policy will do');
  await pictures(second, 'policy-publish');
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.getByRole('status', { name: 'What was done' }).waitFor();
  await dialog.getByRole('button', { name: 'Done', exact: true }).click();
  await second.getByRole('button', { name: 'Replay it over all decisions' }).waitFor(); // what is shown is what holds
  assert.match((await server.api('GET', '/policies/default/careful')).rego, /warn\["look twice"\]/);
  await second.close();
});

chapter('a mistake in the source names its line', async () => {
  await page.getByRole('textbox', { name: /^Text of / }).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('\ndeny[x] { nothing }\n');
  await page.getByRole('button', { name: 'Try', exact: true }).click();
  await page.getByRole('alert').getByText(/unsafe/).first().waitFor();
  told.end();
});
