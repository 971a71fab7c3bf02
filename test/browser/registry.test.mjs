// Modules and providers as people find, read and take back what engines install.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { crc32 } from 'node:zlib';
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

/** An archive of one file, as it is. */
function zip(name, text) {
  const content = Buffer.from(text);
  const about = Buffer.alloc(26);
  about.writeUInt16LE(20, 0);
  about.writeUInt32LE(crc32(content), 10);
  about.writeUInt32LE(content.length, 14);
  about.writeUInt32LE(content.length, 18);
  about.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), about, Buffer.from(name), content]);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), about, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(entry.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, entry, Buffer.from('PK\x05\x06'), end]);
}

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

chapter('the mirror says what it has, and gives a package up after a question', async () => {
  await admin.goto('/providers');
  await admin.getByRole('main').getByRole('link', { name: 'Mirror' }).click();
  await admin.getByText('The mirror is empty').waitFor();
  await admin.getByText('roadbed mirror add mirrored').waitFor();
  await told.sound(admin, 'an empty mirror');
  const answer = await fetch(`${server.url}/api/v1/mirror/providers/registry.opentofu.org/hashicorp/time/0.14.2/linux_amd64`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${server.token}`, 'Content-Type': 'application/zip' },
    body: zip('terraform-provider-time_v0.14.2', 'no program'),
  });
  assert.equal(answer.status, 200, await answer.text());
  await admin.goto('/providers/mirror');
  const row = admin.getByRole('row', { name: /hashicorp\/time.*0\.14\.2/ });
  await row.getByText('somebody added it').waitFor();
  await row.getByText('linux/amd64').waitFor();
  await told.sound(admin, 'the mirror');
  await picture(admin, 'mirror');
  await row.getByRole('button', { name: /^Remove/ }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click();
  await admin.getByText('The mirror is empty').waitFor();
});

chapter('nothing broke on the way', async () => told.end());
