import { describe, expect, it } from 'vitest';
import { parseRef, plain, refPath, shortCommit, shortRef } from './ref';
import { tone, word } from './status';
import { partsOf, vendorName } from './vendor';
import { toYAML } from './yaml';

describe('references', () => {
  it('reads whole ones only', () => {
    expect(parseRef('component:default/shop')).toEqual({ kind: 'component', namespace: 'default', name: 'shop' });
    expect(parseRef('shop')).toBeUndefined();
    expect(parseRef('a:b/c/d')).toBeUndefined();
  });

  it('leads to the page of each kind', () => {
    expect(refPath('component:default/shop')).toBe('/catalog/component/default/shop');
    expect(refPath('stack:pay/infra')).toBe('/infrastructure/pay/infra');
    expect(refPath('context:pay/aws')).toBe('/contexts/pay/aws');
    expect(refPath('application:pay/shop')).toBe('/applications/pay/shop');
    expect(refPath('run_01k2v6x8zq3m5n7p9r1s3t5v7x')).toBe('/runs/run_01k2v6x8zq3m5n7p9r1s3t5v7x');
    expect(refPath('pri_1')).toBeUndefined();
  });

  it('is short where it stays clear', () => {
    expect(shortRef('group:default/pay')).toBe('pay');
    expect(shortRef('group:eu/pay')).toBe('eu/pay');
    expect(shortRef('run_01k2v6x8zq3m5n7p9r1s3t5v7x')).toBe('run …3t5v7x');
    expect(shortCommit('0123456789012345678901234567890123456789')).toBe('01234567');
    expect(shortCommit('main')).toBe('main');
  });
});

describe('states', () => {
  it('has a tone and a word for each', () => {
    expect([
      tone('Healthy'),
      tone('failed'),
      tone('leased'),
      tone('unconfirmed'),
      tone('OutOfSync'),
      tone('novel'),
    ]).toEqual(['good', 'bad', 'busy', 'wait', 'warn', 'quiet']);
    expect([word('leased'), word('unconfirmed'), word('rollingBack'), word('OutOfSync')]).toEqual([
      'running',
      'waits for review',
      'rolling back',
      'out of sync',
    ]);
    expect(plain('run.state-changed')).toBe('run state changed');
  });
});

describe('toYAML', () => {
  it('writes what a document holds', () => {
    const document = {
      kind: 'Stack',
      spec: { list: ['a', { b: 1, c: 'two words' }], none: [], yes: 'true', on: true, at: '1.2' },
    };
    expect(toYAML(document)).toBe(
      [
        'kind: Stack',
        'spec:',
        '  list:',
        '    - a',
        '    - b: 1',
        '      c: two words',
        '  none: []',
        '  yes: "true"',
        '  on: true',
        '  at: "1.2"',
      ].join('\n'),
    );
  });

  it('keeps texts of several lines as blocks', () => {
    expect(toYAML({ text: 'one\n\ntwo\n' })).toBe('text: |\n  one\n\n  two');
    expect(toYAML({ text: 'one\ntwo' })).toBe('text: |-\n  one\n  two');
    expect(toYAML({ text: 'one\n\n', next: 1 })).toBe('text: |+\n  one\n\nnext: 1');
    expect(toYAML({ text: '  one\ntwo' })).toBe('text: "  one\\ntwo"');
    expect(toYAML({ text: 'one\r\ntwo' })).toBe('text: "one\\r\\ntwo"');
  });
});

it('names what plans a stack, and the parts of its plan', () => {
  expect(['terraform', 'ansible', 'kubernetes', 'another'].map(vendorName)).toEqual([
    'OpenTofu or Terraform',
    'Ansible',
    'Kubernetes',
    'another',
  ]);
  expect(['terraform', 'ansible', 'kubernetes', 'pulumi'].map(partsOf)).toEqual([
    'Resources',
    'Tasks',
    'Objects',
    'Resources',
  ]);
});
