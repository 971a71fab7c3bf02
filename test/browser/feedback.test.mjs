// What a proposal would do to the infrastructure is read on its page, asked for again by a comment, and leads to its run.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('feedback');
const { chapter } = told;
let server;
let browser;
let alice;

const documents = `apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {profile: {displayName: Alice}, memberOf: []}
---
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: alice-develops}
spec: {role: developer, space: default, subjects: ["user:default/alice"]}
`;

const stack = `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: user:default/alice
  source: {repository: default/net, branch: main, path: infra}
`;

const one = 'resource "terraform_data" "one" {\n  input = "one"\n}\n';
const commit = (branch, text, from) =>
  server.api('POST', '/repositories/default/net/commits', { branch, from, message: 'More of it', changes: [{ path: 'infra/main.tf', text }] });

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents, source: 'test' });
  await server.api('POST', '/repositories', { namespace: 'default', name: 'net' });
  await commit('main', one);
  await server.api('POST', '/apply', { documents: stack, source: 'test' });
  await commit('idea', one.replaceAll('"one"', '"two"') + one, 'main');
  browser = await launch();
  const link = (await server.api('POST', '/signin-links', { user: 'user:default/alice' })).url;
  alice = await told.person(browser, server.url, link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const infrastructure = () => alice.getByRole('main').getByRole('list', { name: 'Infrastructure' });
const voice = () => alice.getByRole('main').getByRole('article').filter({ hasText: 'What this does to the infrastructure' });

chapter('the page of a proposal tells what it does, as it becomes known', async () => {
  const p = await server.api('POST', '/repositories/default/net/proposals', { title: 'A second one', source: 'idea', target: 'main' });
  await alice.goto(`/repositories/default/net/proposals/${p.number}`);
  await infrastructure().getByText('2 to create').waitFor();
  await voice().getByText('+ create  terraform_data.two').waitFor();
  await voice().getByRole('table').getByText('default/net').waitFor();
  assert.doesNotMatch(await voice().innerText(), /<details>|<!--/);
  await told.sound(alice, 'a proposal with what it does to a stack');
  await picture(alice, 'feedback', 'ROADBED_SEEN');
});

chapter('a comment has it planned again, in the same comment of the platform', async () => {
  const before = await infrastructure().getByRole('link', { name: /^Plan of/ }).getAttribute('href');
  await alice.getByRole('textbox', { name: 'Say something' }).fill('/roadbed plan');
  await alice.getByRole('button', { name: 'Comment', exact: true }).click();
  await alice.getByRole('main').getByRole('list', { name: 'Commands' }).getByText('default/net: run run_').waitFor();
  await alice.waitForFunction((old) => document.querySelector('[aria-label^="Plan of"]')?.getAttribute('href') !== old, before);
  await infrastructure().getByText('2 to create').waitFor();
  assert.equal(await voice().count(), 1);
});

chapter('the run leads back to its proposal', async () => {
  await infrastructure().getByRole('link', { name: /^Plan of/ }).click();
  await alice.getByRole('heading', { level: 1, name: 'Preview of net' }).waitFor();
  await alice.getByText('terraform_data.two').first().waitFor();
  await told.sound(alice, 'the run of a proposal');
  await alice.getByRole('main').getByRole('link', { name: 'default/net#1' }).click();
  await alice.getByRole('heading', { level: 1, name: 'A second one' }).waitFor();
  await told.end();
});
