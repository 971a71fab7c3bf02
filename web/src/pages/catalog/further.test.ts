import { describe, expect, it } from 'vitest';
import { looked, patience } from './further';

const parts = (...counts: number[]) => counts.map((n) => ({ items: Array.from({ length: n }) }));
const none = (n: number) => parts(...Array.from({ length: n }, () => 0));

describe('a list whose parts may be empty', () => {
  it('is looked through further by itself, until somebody is asked', () => {
    expect(looked(none(1), true)).toEqual({ empty: 1, next: 'on' });
    expect(looked(none(patience), true)).toEqual({ empty: patience, next: 'ask' });
    expect(looked(none(patience), true, patience)).toEqual({ empty: patience, next: 'on' });
    expect(looked(none(2 * patience), true, patience)).toEqual({ empty: 2 * patience, next: 'ask' });
  });
  it('counts anew behind what was found', () => {
    expect(looked([...none(patience), ...parts(3), ...none(2)], true)).toEqual({ empty: 2, next: 'on' });
    expect(looked([...parts(3), ...none(patience)], true)).toEqual({ empty: patience, next: 'ask' });
    expect(looked([...none(patience), ...parts(3), ...none(patience)], true, patience + 5).next).toBe('on');
  });
  it('ends where there is no more', () => {
    expect(looked(none(patience), false).next).toBe('end');
    expect(looked([], false)).toEqual({ empty: 0, next: 'end' });
  });
});
