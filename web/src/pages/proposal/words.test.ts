import { describe, expect, it } from 'vitest';
import { markWords, overlay } from './words';

const shown = (before: string, after: string) => {
  const marked = markWords(before, after);
  const side = (all: { text: string; changed: boolean }[]) =>
    all.map((p) => (p.changed ? `[${p.text}]` : p.text)).join('');
  return marked && [side(marked.before), side(marked.after)];
};

describe('words', () => {
  it('that differ are marked', () => {
    expect(shown('greet("world", 1)', 'greet("people", 1)')).toEqual(['greet("[world]", 1)', 'greet("[people]", 1)']);
    expect(shown('a b c', 'a c')).toEqual(['a [b ]c', 'a c']);
    expect(shown('', 'x')).toEqual(['', '[x]']);
    expect(shown('größe', 'größer')).toBeUndefined();
  });
  it('are left alone in lines with little in common, and in very long ones', () => {
    expect(shown('return nil', 'panic("no")')).toBeUndefined();
    expect(shown('x '.repeat(500), 'y '.repeat(500))).toBeUndefined();
  });
  it('keep their colours', () => {
    const colours = [{ text: 'let', kind: 'k' }, { text: ' ab = 1' }];
    const marks = [
      { text: 'let a', changed: false },
      { text: 'b', changed: true },
      { text: ' = 1', changed: false },
    ];
    expect(overlay('let ab = 1', colours, marks)).toEqual([
      { text: 'let', kind: 'k', changed: false },
      { text: ' a', changed: false },
      { text: 'b', changed: true },
      { text: ' = 1', changed: false },
    ]);
    expect(overlay('other', colours)).toEqual([{ text: 'other', changed: false }]);
    expect(overlay('', undefined)).toEqual([]);
  });
});
