import { describe, expect, it } from 'vitest';
import { deedsOf, startsOf } from './many';

describe('what is done with several at once', () => {
  it('is offered for the runs that allow it', () => {
    const runs = [
      { id: 'one', can: ['confirm', 'discard', 'cancel', 'promote'] },
      { id: 'two', can: ['cancel'] },
      { id: 'three', can: [] },
    ];
    expect(deedsOf(runs)).toEqual([
      { verb: 'confirm', ids: ['one'] },
      { verb: 'discard', ids: ['one'] },
      { verb: 'cancel', ids: ['one', 'two'] },
    ]);
    expect(deedsOf([])).toEqual([]);
  });
  it('is begun of the stacks of which it may be, and drift of those that have a state', () => {
    const stack = (ref: string, can: string[], state?: object) => ({ ref, can, state }) as never;
    const found = startsOf([stack('a', ['plan', 'apply'], {}), stack('b', ['plan']), stack('c', [], {})]);
    expect(found.map((s) => [s.type, s.refs])).toEqual([
      ['tracked', ['a']],
      ['proposed', ['a', 'b']],
      ['drift', ['a']],
    ]);
  });
});
