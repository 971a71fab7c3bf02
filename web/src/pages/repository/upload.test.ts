import { describe, expect, it } from 'vitest';
import type { TreeEntry } from '../../api/types';
import { base64, type Chosen, changesOf, most, read, tellOf, tooMuch, withMore, wrongName } from './upload';

const file = (name: string, size = 1): Chosen => ({ name, size, content: 'eA==' });
const entry = (path: string, type: string, hash: string) => ({ path, type, hash, mode: '100644' }) as TreeEntry;

describe('upload', () => {
  it('takes names that every system can have', () => {
    for (const name of ['a', 'Ünïcode name.txt', 'sub/a.png', '.gitignore', '.github', 'git~2'])
      expect(wrongName(name)).toBeUndefined();
    for (const name of [
      '',
      '/a',
      'a/',
      'a//b',
      '../a',
      'a/./b',
      'a\\b',
      'a\nb',
      '.git',
      '.GIT/config',
      '.git. ',
      'GIT~1',
      'ü'.repeat(128),
    ])
      expect(wrongName(name), name).toBeDefined();
  });

  it('tells what becomes of each file', () => {
    const there = [entry('docs/a.png', 'blob', 'aaaa'), entry('docs/sub', 'tree', 'bbbb')];
    const files = [file('a.png'), file('sub'), file('new'), file('twice'), file('twice')];
    const told = tellOf(files, 'docs/', there);
    expect(told.map((t) => Boolean(t.bad))).toEqual([false, true, false, true, true]);
    expect(changesOf(files, told).slice(0, 3)).toEqual([
      { path: 'docs/a.png', bytes: 'eA==', base: 'aaaa' },
      { path: 'docs/sub', bytes: 'eA==', base: '' },
      { path: 'docs/new', bytes: 'eA==', base: '' },
    ]);
  });

  it('says what is too much', () => {
    expect(tooMuch([file('a', most.bytes)])).toBeUndefined();
    expect(tooMuch([file('a', most.bytes), file('b')])).toContain('5.2 MB');
    expect(tooMuch(Array.from({ length: most.files + 1 }, (_, i) => file(`${i}`)))).toContain('101 files');
  });

  it('reads bytes as they are, and refuses what is too large', async () => {
    const every = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    expect(Uint8Array.from(atob(base64(every)), (c) => c.charCodeAt(0))).toEqual(every);
    const { files, refused } = await read([
      new File([every], 'every.bin'),
      new File([new Uint8Array(most.bytes + 1)], 'large.iso'),
    ]);
    expect(files.map((f) => [f.name, f.size])).toEqual([['every.bin', 70_000]]);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toContain('large.iso');
  });

  it('takes a file that is chosen again for the earlier one', () => {
    expect(withMore([file('a', 1), file('b', 1)], [file('a', 2)]).map((f) => [f.name, f.size])).toEqual([
      ['b', 1],
      ['a', 2],
    ]);
  });
});
