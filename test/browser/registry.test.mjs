// Modules and providers as people find, read and take back what engines install.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, picture, story } from './browser.mjs';
import { start } from './server.mjs';

const told = story('registry');
const { chapter } = told;
let server;
let browser;
let admin;

const documents = `apiVersion: roadbed.dev/v1
kind: Module
metadata: {name: network, title: Network, description: Zones and what lies in them}
spec:
  owner: group:default/crew
  provider: aws
  source: {repository: default/network, branch: main}
`;

const main = `variable "zones" {
  type        = list(string)
  description = "Where it is."
}
variable "size" {
  type    = number
  default = 3
}
resource "terraform_data" "zones" { input = var.zones }
output "zones" {
  description = "Where it is, as it was built."
  value       = terraform_data.zones.output
}
`;

const example = `module "network" {
  source = "../.."
  zones  = ["a", "b"]
}
`;

before(async () => {
  server = await start();
  browser = await launch();
  admin = await told.person(browser, server.url, server.link);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

chapter('what is empty says what to do', async () => {
  await admin.goto('/modules');
  await admin.getByText('No module yet').waitFor();
  await told.sound(admin, 'no modules');
  await admin.goto('/providers');
  await admin.getByText('No provider yet').waitFor();
  await told.sound(admin, 'no providers');
});

chapter('a version is tested, and says how to use it', async () => {
  await server.api('POST', '/repositories', { namespace: 'default', name: 'network' });
  await server.api('POST', '/apply', { documents, source: 'test' });
  await admin.goto('/modules/default/network');
  await admin.getByText('No version yet').waitFor();
  await server.api('POST', '/repositories/default/network/commits', {
    branch: 'main',
    message: 'Begin',
    changes: [
      { path: 'main.tf', text: main },
      { path: 'README.md', text: '# How it is laid out\n\nEach zone has a net.\n' },
      { path: 'examples/two-zones/main.tf', text: example },
    ],
  });
  await server.api('POST', '/repositories/default/network/tags', { name: 'v1.0.0', at: 'main' });
  await admin.goto('/modules');
  await admin.getByRole('link', { name: 'Network' }).click();
  await admin.getByText('latest 1.0.0').waitFor({ timeout: 60_000 });
  await admin.getByText('source  = "').waitFor();
  await admin.getByRole('heading', { name: 'How it is laid out' }).waitFor();
  await admin.getByRole('table', { name: 'Inputs' }).getByText('list(string)').waitFor();
  await admin.getByRole('table', { name: 'Tests' }).getByText('examples/two-zones').first().waitFor();
  await told.sound(admin, 'a module');
  await picture(admin, 'module');
});

chapter('a version is taken back, and given again', async () => {
  await admin.getByRole('button', { name: 'Yank' }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Why' }).fill('Its zones overlap.');
  await told.sound(admin, 'a yank');
  await dialog.getByRole('button', { name: 'Yank', exact: true }).click();
  await admin.getByText('Version 1.0.0 is yanked').waitFor();
  await admin.getByText('Its zones overlap.').first().waitFor();
  assert.equal(await admin.getByText('source  = "').count(), 0);
  await admin.getByRole('button', { name: 'Restore' }).click();
  await admin.getByText('latest 1.0.0').waitFor();
});

chapter('nothing broke on the way', async () => told.end());
