import { describe, expect, it } from 'vitest';
import { gapLines, parseHunks, partsOf, sideBySide } from './hunks';

const patch = `@@ -1,4 +1,5 @@ func x()
 one
-two
-three
+2
+3
+3.5
 four
@@ -20 +21 @@
-old
\\ No newline at end of file
+new
`;

describe('hunks', () => {
  it('number the lines of both files', () => {
    const lines = parseHunks(patch);
    expect(lines.map((l) => [l.kind, l.old, l.new, l.text])).toEqual([
      ['place', undefined, undefined, '@@ -1,4 +1,5 @@ func x()'],
      ['same', 1, 1, 'one'],
      ['removed', 2, undefined, 'two'],
      ['removed', 3, undefined, 'three'],
      ['added', undefined, 2, '2'],
      ['added', undefined, 3, '3'],
      ['added', undefined, 4, '3.5'],
      ['same', 4, 5, 'four'],
      ['place', undefined, undefined, '@@ -20 +21 @@'],
      ['removed', 20, undefined, 'old'],
      ['note', undefined, undefined, '\\ No newline at end of file'],
      ['added', undefined, 21, 'new'],
    ]);
  });

  it('stand side by side', () => {
    const pairs = sideBySide(parseHunks(patch)).map((p) => [p.left?.text, p.right?.text]);
    expect(pairs).toEqual([
      ['@@ -1,4 +1,5 @@ func x()', '@@ -1,4 +1,5 @@ func x()'],
      ['one', 'one'],
      ['two', '2'],
      ['three', '3'],
      [undefined, '3.5'],
      ['four', 'four'],
      ['@@ -20 +21 @@', '@@ -20 +21 @@'],
      ['old', undefined],
      ['\\ No newline at end of file', '\\ No newline at end of file'],
      [undefined, 'new'],
    ]);
  });

  it('of an empty patch are none', () => {
    expect(sideBySide(parseHunks(''))).toHaveLength(0);
  });
  it('leave gaps that can be filled', () => {
    const parts = partsOf(parseHunks(patch));
    expect(parts.map((p) => p.gap)).toEqual([
      { first: 1, last: 0, shift: 0 },
      { first: 6, last: 20, shift: -1 },
      { first: 22, last: 0, shift: -1 },
    ]);
    expect(gapLines(['a', 'b', 'c'], 2, 3, -1)).toEqual([
      { kind: 'same', text: 'b', old: 1, new: 2 },
      { kind: 'same', text: 'c', old: 2, new: 3 },
    ]);
    expect(partsOf(parseHunks('@@ -3,0 +4,2 @@\n+x\n+y\n'))[0]?.gap).toEqual({ first: 1, last: 3, shift: 0 });
    expect(partsOf([])).toEqual([]);
  });
});
