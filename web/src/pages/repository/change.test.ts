import { expect, test } from 'vitest';
import { patchOf } from './change';

/** Does what a patch says, as git apply would. */
function apply(before: string, patch: string): string {
  const a = before === '' ? [] : before.split(/(?<=\n)/);
  const out: string[] = [];
  let at = 0;
  let bare = false;
  const lines = patch === '' ? [] : patch.replace(/\n$/, '').split('\n');
  lines.forEach((line, i) => {
    const place = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (place) {
      const start = place[2] === '0' ? Number(place[1]) : Number(place[1]) - 1;
      while (at < start) out.push(a[at++] ?? '');
      return;
    }
    if (line.startsWith('\\')) return;
    bare = lines[i + 1]?.startsWith('\\') ?? false;
    const text = line.slice(1) + (bare ? '' : '\n');
    if (line.startsWith('+')) out.push(text);
    else {
      expect(a[at]).toBe(text);
      if (line.startsWith(' ')) out.push(text);
      at++;
    }
  });
  while (at < a.length) out.push(a[at++] ?? '');
  return out.join('');
}

test('a change is told as git tells it', () => {
  expect(patchOf('1\n2\n3\n4\n5\n6\n7\n8\n', '1\n2\n3\n4\nfive\n6\n7\n8\n')).toEqual({
    patch: '@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
    additions: 1,
    deletions: 1,
  });
  expect(patchOf('a', 'a\n').patch).toBe('@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n');
  expect(patchOf('', 'new\n').patch).toBe('@@ -0,0 +1,1 @@\n+new\n');
  expect(patchOf('old\n', '').patch).toBe('@@ -1,1 +0,0 @@\n-old\n');
  expect(patchOf('same\n', 'same\n').patch).toBe('');
});

test('what a change says gives the new text of the old one', () => {
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  for (let round = 0; round < 300; round++) {
    const lines = () => Array.from({ length: random(14) }, () => `${random(5)}\n`).join('') + (random(3) ? '' : 'end');
    const [before, after] = [lines(), lines()];
    expect(apply(before, patchOf(before, after).patch)).toBe(after);
  }
  const long = Array.from({ length: 5_000 }, (_, i) => `${i}\n`).join('');
  const other = Array.from({ length: 5_000 }, (_, i) => `${i * 3}\n`).join('');
  expect(apply(long, patchOf(long, other).patch)).toBe(other);
});
