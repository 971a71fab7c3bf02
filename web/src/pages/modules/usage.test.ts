import { describe, expect, it } from 'vitest';
import type { ModuleVersionDetail } from '../../api/types';
import { providerUsage, usage } from './usage';

const version = (inputs: { name: string; type?: string; default?: string }[]) =>
  ({ version: '1.2.0', content: { inputs } }) as unknown as ModuleVersionDetail;

describe('usage', () => {
  it('names what must be given and nothing else', () => {
    const text = usage(
      { name: 'net-work', address: 'registry.example.com/shop/network/aws' },
      version([
        { name: 'zones', type: 'list(\n  string\n)' },
        { name: 'size', type: 'number', default: '3' },
        { name: 'a_rather_long_name' },
      ]),
    );
    expect(text).toBe(`module "net-work" {
  source             = "registry.example.com/shop/network/aws"
  version            = "1.2.0"

  zones              = # list( string )
  a_rather_long_name = # any
}
`);
  });
  it('has no lines where nothing must be given, and a label that a block may have', () => {
    expect(usage({ name: '1st.net', address: 'a.b/c/d/e' }, version([]))).toBe(
      'module "_1st_net" {\n  source  = "a.b/c/d/e"\n  version = "1.2.0"\n}\n',
    );
  });
  it('tells of providers', () => {
    expect(providerUsage('cloud', 'a.b/c/cloud', '1.0.0')).toContain('cloud = {\n      source  = "a.b/c/cloud"');
  });
});
