import { describe, expect, it } from 'vitest';
import { byPhase, whyAttached } from './order';

describe('hooks', () => {
  it('are put together by phase and keep their order', () => {
    const hooks = [
      { phase: 'beforePlan', command: 'a', from: 'context:default/x' },
      { phase: 'beforePlan', command: 'b', from: 'the stack' },
      { phase: 'afterRun', command: 'c' },
    ];
    expect(byPhase(hooks).map((g) => [g.title, g.hooks.map((h) => h.command).join('')])).toEqual([
      ['Before plan', 'ab'],
      ['After the run', 'c'],
    ]);
    expect(byPhase([])).toEqual([]);
    expect(byPhase([{ phase: 'afterShow', command: 'a' }])[0]?.title).toBe('afterShow');
  });
});

describe('why a context is attached', () => {
  it('is told in words', () => {
    expect(whyAttached('autoattach:*')).toBe('the context attaches itself to all stacks');
    expect(whyAttached('autoattach:team:shop')).toBe('both have the label team:shop');
    expect(whyAttached('the stack names it')).toBe('the stack names it');
  });
});
