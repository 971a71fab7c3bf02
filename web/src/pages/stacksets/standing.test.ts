import { describe, expect, it } from 'vitest';
import type { StackSet } from '../../api/types';
import { tone } from '../../words/status';
import { cameTo, folderCommand, shares, shown, standingOf, tryCommand, wouldBe } from './standing';

const set = (some: Partial<StackSet>): StackSet => ({
  ref: 'stackset:default/live',
  namespace: 'default',
  name: 'live',
  space: 'default',
  repository: 'platform/live',
  branch: 'main',
  folders: ['stacks/*'],
  files: ['*.tf'],
  naming: '{{path.slug}}',
  planFirst: false,
  removed: 'keep',
  looked: '2026-01-02T03:04:05Z',
  took: 12,
  stacks: 0,
  kept: 0,
  held: 0,
  wrong: 0,
  stale: 0,
  ignored: 0,
  bare: 0,
  made: 0,
  gone: 0,
  problems: [],
  can: [],
  ...some,
});

describe('the folders of a set', () => {
  it('are counted once each', () => {
    const all = shares(set({ stacks: 14, kept: 2, held: 1, stale: 1, wrong: 3, ignored: 4 }));
    expect(all.map((s) => [s.standing, s.count])).toEqual([
      ['made', 10],
      ['stale', 1],
      ['kept', 2],
      ['held', 1],
      ['wrong', 3],
      ['ignored', 4],
    ]);
  });
  it('are told what to do about by what the set does with those that are gone', () => {
    expect(shares(set({ stacks: 1, kept: 1 }))[0]?.next).toContain('removed: keep');
    expect(shares(set({ stacks: 1, kept: 1, removed: 'delete' }))[0]?.next).toContain('destroy what it holds');
  });
  it('have a colour each', () => {
    expect(Object.values(shown).map((s) => tone(s.state))).toEqual([
      'good',
      'warn',
      'warn',
      'warn',
      'bad',
      'quiet',
      'quiet',
    ]);
  });
});

describe('a set', () => {
  it('says the worst of it', () => {
    expect(standingOf(set({ looked: undefined })).state).toBe('pending');
    expect(standingOf(set({ stacks: 3 })).said).toBe('as its folders are');
    expect(standingOf(set({ wrong: 1, kept: 2 })).said).toBe('1 folder has no stack');
    expect(standingOf(set({ held: 6, message: '6 stacks would go at once' })).said).toBe('6 held back');
    expect(standingOf(set({ message: 'repository a/b is not there' })).said).toBe('could not look');
  });
  it('says what its look did', () => {
    expect(cameTo({ made: 0, gone: 0 })).toBe('changed nothing');
    expect(cameTo({ made: 1, gone: 2 })).toBe('made 1 stack and took 2 stacks away');
  });
  it('says what a change of it would come to', () => {
    const tried = { commit: 'c', stacks: 3, made: 1, gone: 2, kept: 0, wrong: 1, changes: [] };
    expect(wouldBe({ ...tried, changes: Array(4).fill({ folder: 'a', standing: 'made' }) })).toBe(
      '3 stacks in all: 1 stack made, 2 stacks removed, 1 folder without a stack.',
    );
    expect(wouldBe(tried)).toContain('The first 0 are listed.');
    expect(tryCommand('default/live', { folders: ['a/*'], ignore: [], naming: '{{path.slug}}', removed: 'keep' })).toBe(
      "roadbed stack set try default/live --folder 'a/*' --naming '{{path.slug}}' --removed keep",
    );
  });
  it('has a command for its folders', () => {
    expect(folderCommand('default/live', {})).toBe('roadbed stack set folders default/live');
    expect(folderCommand('default/live', { standing: 'wrong,bare', text: "bob's net" })).toBe(
      "roadbed stack set folders default/live --standing wrong,bare --text 'bob'\\''s net'",
    );
  });
});
