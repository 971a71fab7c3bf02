// Machines of one's own: a pool is declared, an agent is connected by what the page says, is seen, drained and resumed; the pool gets an image.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before } from 'node:test';
import { launch, picture, pictures, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('pool');
const { chapter } = told;
let server;
let browser;
let admin;
let agent;

const pool = `apiVersion: roadbed.dev/v1
kind: WorkerPool
metadata: {name: eu, description: Machines that reach the private network}
spec: {shared: true}
`;

before(async () => {
  server = await start('--container-allow', 'registry.example.com/ci/*');
  browser = await launch();
  admin = await told.person(browser, server.url, server.link);
});

after(async () => {
  agent?.kill('SIGTERM');
  if (agent) await new Promise((resolve) => agent.once('exit', resolve));
  await browser?.close();
  await server?.stop();
});

chapter('without a pool the page says what one is for, and how it is declared', async () => {
  await admin.goto('/pools');
  await admin.getByText('No worker pool').waitFor();
  await admin.getByText('kind: WorkerPool').waitFor();
  await told.sound(admin, 'no pools');
});

chapter('a pool without an agent says how one is connected', async () => {
  await server.api('POST', '/apply', { documents: pool, source: 'test' });
  await admin.goto('/pools');
  await admin.getByRole('link', { name: 'eu', exact: true }).click();
  await admin.getByRole('heading', { level: 1, name: 'eu' }).waitFor();
  await admin.getByText('No agent has connected').waitFor();
  assert.match(await admin.getByRole('textbox', { name: 'The command' }).inputValue(), /^roadbed agent --server http\S+ --token-file/);
  await told.sound(admin, 'a pool without an agent');
});

chapter('an agent is connected by a token that is made there, and is seen', async () => {
  await admin.getByRole('textbox', { name: 'Name' }).fill('rack-1');
  await admin.getByRole('button', { name: 'Make token' }).click();
  const token = await admin.getByRole('textbox', { name: 'Token', exact: true }).inputValue();
  assert.match(token, /^rba_/);
  const folder = path.join(server.folder, 'agent');
  fs.writeFileSync(`${folder}.token`, token, { mode: 0o600 });
  const [, ...args] = (await admin.getByRole('textbox', { name: 'The command' }).inputValue())
    .replace('agent.token', `${folder}.token`)
    .replace('./roadbed-agent', folder)
    .split(' ');
  agent = spawn(
    process.env.ROADBED_TEST_BINARY ?? path.resolve(import.meta.dirname, '../../bin/roadbed'),
    [...args, '--name', 'rack-1', '--isolation', 'prefer', '--download-engine=false'],
    { cwd: server.folder, stdio: 'ignore' },
  );
  await admin.getByRole('cell', { name: 'connected' }).waitFor();
  await admin.getByRole('row', { name: /rack-1.*nothing/ }).waitFor();
  await told.sound(admin, 'a pool with an agent');
  await picture(admin, 'pool', 'ROADBED_SEEN');
});

chapter('an agent is drained after a question, and takes steps again', async () => {
  await admin.getByRole('button', { name: 'Drain rack-1' }).click();
  await admin.getByRole('button', { name: 'Drain it' }).click();
  await admin.getByRole('cell', { name: 'drained' }).waitFor();
  await admin.getByRole('button', { name: 'Resume rack-1' }).click();
  await admin.getByRole('cell', { name: 'connected' }).waitFor();
  await admin.goto('/pools');
  await admin.getByRole('row', { name: /eu.*ready/ }).waitFor();
  await told.sound(admin, 'pools');
  await picture(admin, 'pools', 'ROADBED_SEEN');
});

chapter('the image in which steps of a pool run is declared, as far as the server allows it, and shown', async () => {
  const withImage = (image) => pool.replace('name: eu', 'name: us').replace('{shared: true}', `{shared: true, image: ${image}}`);
  await admin.goto('/declare');
  const documents = admin.getByRole('textbox', { name: 'Documents' });
  await documents.fill(withImage('docker.io/library/alpine'));
  await admin.getByRole('button', { name: 'Show what would change' }).click();
  await admin.getByRole('alert').getByText(/registry\.example\.com\/ci/).waitFor();
  await told.sound(admin, 'an image that is not allowed');
  await documents.fill(withImage('registry.example.com/ci/tofu:1'));
  await admin.getByRole('button', { name: 'Show what would change' }).click();
  await admin.getByText('Would be done: 1 of 1 would change.').waitFor();
  await admin.getByRole('button', { name: 'Apply', exact: true }).click();
  await admin.getByText('Done: 1 of 1 changed.').waitFor();
  await admin.goto('/pools/default/us');
  await admin.getByText('steps that name no image run in registry.example.com/ci/tofu:1').waitFor();
  await told.sound(admin, 'a pool with an image');
  await pictures(admin, 'pool-image');
  await admin.getByRole('link', { name: 'Its document' }).click();
  await admin.getByRole('heading', { level: 1, name: 'us' }).waitFor();
  await admin.goto('/pools/default/eu');
  await admin.getByText('worker pool of the space default, and of those below').waitFor();
  assert.equal(await admin.getByText('steps that name no image').count(), 0);
});

chapter('nothing broke', () => told.end());
