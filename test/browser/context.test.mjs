// What the runs of many stacks are given: a context is found, read, and seen again on the page of a stack that has it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('context');
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

const context = `apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: aws}
spec:
  description: Credentials of the account
  priority: 3
  labels: ["autoattach:eu"]
  variables:
    - {name: AWS_REGION, value: eu-central-1}
    - {name: TF_VAR_size, value: "3"}
    - {name: AWS_SECRET_ACCESS_KEY, secretRef: default/aws-key}
  files:
    - {path: source/infra/zones.auto.tfvars, content: "zones = 3\\n"}
  hooks:
    beforePlan: [./login.sh]
    afterRun: ["echo $ROADBED_FINAL_STATE"]
`;

const stack = `apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: user:default/alice
  labels: [eu]
  engine: {version: ">= 1"}
  source: {repository: default/net, branch: main, path: infra}
  variables: {size: 5}
  hooks: {beforePlan: [tflint]}
`;

before(async () => {
  server = await start();
  await server.api('POST', '/apply', { documents, source: 'test' });
  browser = await launch();
  const link = (await server.api('POST', '/signin-links', { user: 'user:default/alice' })).url;
  alice = await told.person(browser, server.url, link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('the page of contexts says what to do when there is none', async () => {
  await alice.goto('/infrastructure');
  await alice.getByRole('link', { name: 'Contexts', exact: true }).click();
  await alice.getByText('No context yet').waitFor();
  await told.sound(alice, 'no contexts');
});

chapter('a context shows what it gives, and no value of a secret', async () => {
  await server.api('PUT', '/secrets/default/aws-key', { value: 'never-to-be-shown' });
  await server.api('POST', '/apply', { documents: context, source: 'test' });
  await server.api('POST', '/repositories', { namespace: 'default', name: 'net' });
  await server.api('POST', '/apply', { documents: stack, source: 'test' });
  await alice.goto('/contexts');
  await alice.getByRole('link', { name: 'default/aws', exact: true }).or(alice.getByRole('link', { name: 'aws', exact: true })).first().click();
  await alice.getByRole('heading', { level: 1, name: 'aws' }).waitFor();
  await alice.getByText('both have the label eu').waitFor();
  await alice.getByText('secret default/aws-key').waitFor();
  await alice.getByText('./login.sh').waitFor();
  await alice.getByText('10 B').first().click();
  await alice.getByText('zones = 3').waitFor();
  assert.doesNotMatch(await alice.getByRole('main').innerHTML(), /never-to-be-shown/);
  await told.sound(alice, 'a context');
  await picture(alice, 'context', 'ROADBED_SEEN');
});

chapter('a stack shows what its runs are given, and where it is from', async () => {
  await alice.getByRole('row').getByRole('link', { name: /net/ }).click();
  await alice.getByRole('tab', { name: 'Environment' }).click();
  await alice.getByRole('alert').first().waitFor(); // nothing is pushed yet, and the page says so
  await server.api('POST', '/repositories/default/net/commits', {
    branch: 'main',
    message: 'begin',
    changes: [{ path: 'infra/main.tf', text: 'output "one" {\n  value = 1\n}\n' }],
  });
  await alice.reload();
  await alice.getByRole('table', { name: 'Variables' }).getByText('TF_VAR_size').waitFor();
  await alice.getByText('in the place of').waitFor();
  await alice.getByText('from the stack').first().waitFor();
  await alice.getByText('>= 1, by the stack').waitFor(); // of its engine
  assert.equal(await alice.getByRole('tab', { name: 'Environment' }).getAttribute('aria-selected'), 'true');
  await told.sound(alice, 'the environment of a stack');
  await picture(alice, 'environment', 'ROADBED_SEEN');
});
