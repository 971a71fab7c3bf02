import { describe, expect, it } from 'vitest';
import { planned, proposalOf, unfolded } from './planned';

const sum = { create: 0, update: 0, delete: 0, replace: 0, noop: 3, outputs: 0 };

describe('how a stack of a proposal stands', () => {
  it('counts what its plan does', () => {
    const s = { stack: 'stack:default/net', commit: 'c', run: 'run_1', state: 'finished' };
    expect(planned({ ...s, summary: { ...sum, create: 3, update: 1, outputs: 1 } })).toBe(
      '3 to create, 1 to change, 1 output changes',
    );
    expect(planned({ ...s, summary: sum })).toBe('nothing to change');
    expect(planned({ ...s, summary: { ...sum, delete: 1 }, applied: true })).toBe('applied: 1 to destroy');
    expect(planned({ ...s, state: 'planning' })).toBe('is planned');
    expect(planned({ ...s, state: 'failed', reason: 'planning: exit status 1' })).toBe('planning: exit status 1');
  });
  it('says why there is no plan', () => {
    expect(planned({ stack: 'stack:default/net', commit: 'c', reason: 'it comes from a fork' })).toBe(
      'it comes from a fork',
    );
  });
});

describe('the proposal of a run', () => {
  it('is read of its input', () => {
    expect(proposalOf({ proposal: 'crew/shop#12' })).toEqual({
      full: 'crew/shop#12',
      path: '/repositories/crew/shop/proposals/12',
    });
    for (const input of [undefined, {}, { proposal: 12 }, { proposal: '//evil.example/#1' }]) {
      expect(proposalOf(input)).toBeUndefined();
    }
  });
});

describe('what the platform says at a forge', () => {
  it('reads without HTML', () => {
    const text =
      'Plans\n\n<details><summary>net: 1 to create</summary>\n\nmore\n\n</details>\n\n<!-- roadbed speaks: http://x -->';
    expect(unfolded(text)).toBe('Plans\n\n**net: 1 to create**\n\nmore');
    expect(unfolded('<details>of somebody else')).toBe('<details>of somebody else');
  });
});
