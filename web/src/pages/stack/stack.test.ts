import { describe, expect, it } from 'vitest';
import { asPlanChange } from './diff';
import { engineName, whyEngine } from './engine';
import { holderOf } from './lock';
import { offers } from './offers';

describe('a change between two versions of a state', () => {
  const change = { address: 'a.b', action: 'update' as const, changed: ['tag', 'key'] };
  it('tells its values to whoever may see them', () => {
    expect(asPlanChange({ ...change, before: { tag: 1 }, after: { tag: 2 } })).toMatchObject({
      before: { tag: 1 },
      after: { tag: 2 },
      reason: undefined,
    });
  });
  it('tells names to others', () => {
    expect(asPlanChange(change).reason).toBe('Differs in tag, key');
  });
});

describe('who holds the lock of a state', () => {
  it('is told by what an engine wrote', () => {
    expect(
      holderOf('{"Who":"alice@laptop","Operation":"OperationTypeApply","Created":"2026-01-02T03:04:05Z"}'),
    ).toEqual({
      who: 'alice@laptop, for apply',
      byHand: false,
      since: '2026-01-02T03:04:05Z',
      reason: undefined,
    });
  });
  it('is told by what a person wrote', () => {
    expect(holderOf('{"Who":"Otto","Operation":"by hand","Info":"I look at it"}')).toMatchObject({
      who: 'Otto, by hand',
      byHand: true,
      reason: 'I look at it',
    });
  });
});

describe('the engine of a stack', () => {
  it('is told with its version where one is asked for', () => {
    const engine = { name: 'tofu' as const, version: '1.11.5', wanted: '~> 1.11.0', from: '.opentofu-version' };
    expect(engineName(engine)).toBe('OpenTofu 1.11.5');
    expect(whyEngine(engine)).toBe('~> 1.11.0, by .opentofu-version');
  });
  it("is the pool's where nobody asks", () => {
    expect(engineName({})).toBe("the pool's own engine");
    expect(engineName({ name: 'terraform' })).toBe('Terraform, in the version that the pool has');
    expect(whyEngine({})).toBe('no version');
  });
  it('may be the program of a vendor', () => {
    expect(engineName({ name: 'pulumi', version: '3.274.1' })).toBe('Pulumi 3.274.1');
    expect(engineName({ name: 'kubectl', version: '1.31.2' })).toBe('kubectl 1.31.2');
  });
});

describe('what else may be done with a stack', () => {
  const state = { resources: 1 } as never;
  const can = ['plan', 'apply', 'task'];
  it('is the same without a repository, once something was applied', () => {
    expect(offers({ can, repository: '', state })).toEqual(['drift', 'reconcile', 'task']);
    expect(offers({ can, repository: 'crew/infra', state })).toEqual(['drift', 'reconcile', 'task']);
    expect(offers({ can, repository: 'crew/infra' })).toEqual(['task']);
    expect(offers({ can, repository: '' })).toEqual([]);
  });

  it('is what one may', () => {
    expect(offers({ can: ['plan'], repository: '', state })).toEqual(['drift']);
    expect(offers({ can: ['apply'], repository: '', state })).toEqual([]);
  });
});
