import type { ModuleVersionDetail, TerraformModule } from '../../api/types';

/** A module's name as a label of a block may have it. */
function label(name: string): string {
  const clean = name.replace(/[^A-Za-z0-9_-]/g, '_');
  return /^[A-Za-z_]/.test(clean) ? clean : `_${clean}`;
}

/** What a configuration writes to use a version: its address, and a line for each input that it must give. */
export function usage(module: Pick<TerraformModule, 'name' | 'address'>, version: ModuleVersionDetail): string {
  const required = version.content.inputs.filter((i) => !i.default);
  const width = Math.max(...['version', ...required.map((i) => i.name)].map((n) => n.length));
  const line = (name: string, value: string) => `  ${name.padEnd(width)} = ${value}`;
  const lines = [
    `module "${label(module.name)}" {`,
    line('source', `"${module.address}"`),
    line('version', `"${version.version}"`),
  ];
  if (required.length > 0) lines.push('', ...required.map((i) => line(i.name, `# ${oneLine(i.type || 'any')}`)));
  return [...lines, '}', ''].join('\n');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 80);
}

/** What a configuration writes to use a provider. */
export function providerUsage(type: string, address: string, version: string): string {
  return [
    'terraform {',
    '  required_providers {',
    `    ${type} = {`,
    `      source  = "${address}"`,
    `      version = "${version}"`,
    '    }',
    '  }',
    '}',
    '',
  ].join('\n');
}
