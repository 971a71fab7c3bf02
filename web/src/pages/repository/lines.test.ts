import { expect, test } from 'vitest';
import { branchFor, endingOf, hashOf, linesOf, rangeOf, within } from './lines';

test('lines are those that people count', () => {
  expect(linesOf('a\nb\n')).toEqual(['a', 'b']);
  expect(linesOf('a\nb')).toEqual(['a', 'b']);
  expect(linesOf('')).toEqual([]);
  expect(linesOf('\n')).toEqual(['']);
});

test('an address points at lines', () => {
  expect(rangeOf('#L10')).toEqual([10, 10]);
  expect(rangeOf('L20-L10')).toEqual([10, 20]);
  expect(rangeOf('#L5-9')).toEqual([5, 9]);
  for (const other of ['', '#readme', '#L0', '#Lx', '#L1-L', '#L99999999']) expect(rangeOf(other)).toBeUndefined();
  expect(hashOf([3, 3])).toBe('L3');
  expect(hashOf([3, 5])).toBe('L3-L5');
});

test('links of a file stay in its repository, or lead elsewhere', () => {
  expect(within('docs', 'a.md')).toBe('docs/a.md');
  expect(within('docs/x', '../a%20b.md#part')).toBe('docs/a b.md');
  expect(within('docs', '/logo.png?raw=1')).toBe('logo.png');
  expect(within('docs', './img/')).toBe('docs/img/');
  expect(within('', '../secret')).toBeUndefined();
  for (const other of ['https://example.com', '//example.com/x', 'javascript:alert(1)', '#part', 'mailto:a@b', '']) {
    expect(within('docs', other)).toBeUndefined();
  }
  expect(within('', 'bad%zz')).toBe('bad%zz');
});

test('an edit keeps the ends of lines', () => {
  expect(endingOf('a\nb')).toBe('\n');
  expect(endingOf('a\r\nb\r\n')).toBe('\r\n');
  expect(endingOf('a\r\nb\n')).toBeUndefined();
  expect(endingOf('a\rb')).toBeUndefined();
  expect(endingOf('one line')).toBe('\n');
});

test('a branch for an edit has a name that git takes', () => {
  const now = new Date('2026-11-27T08:09:10Z');
  expect(branchFor('Zoë M.', 'docs/My File.md', now)).toBe('zo-m/my-file-md-1127080910');
  expect(branchFor('…', '…', now)).toBe('edit/edit-1127080910');
});
