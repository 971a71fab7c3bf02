import type { SetText } from '../../api/stacksets';
import type { StackSet, StackSetFolder, StackSetTried } from '../../api/types';

export type Standing = StackSetFolder['standing'];

interface Share {
  standing: Standing;
  count: number;
  /** What the folders are called that stand so. */
  name: string;
  /** What somebody can do about them; "" where nothing is to be done. */
  next: string;
}

/** How a standing is shown: as a state that the portal has a colour and an icon for, and in words. */
export const shown: Record<Standing, { state: string; said: string }> = {
  made: { state: 'synced', said: 'has a stack' },
  stale: { state: 'warn', said: 'stack is not renewed' },
  kept: { state: 'warn', said: 'folder is gone' },
  held: { state: 'held', said: 'held back' },
  wrong: { state: 'error', said: 'no stack' },
  ignored: { state: 'excluded', said: 'ignored' },
  bare: { state: 'without', said: 'without code' },
};

const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;

/** The folders of a set by how they stand, in the order in which they are drawn; those that no folder has are left out. */
export function shares(set: StackSet): Share[] {
  const all: Share[] = [
    { standing: 'made', count: set.stacks - set.kept - set.held - set.stale, name: 'with a stack', next: '' },
    {
      standing: 'stale',
      count: set.stale,
      name: 'with an old stack',
      next: 'What the template says now can’t be taken for them: mend it, or what is written beside the folder.',
    },
    {
      standing: 'kept',
      count: set.kept,
      name: 'gone, stack stays',
      next:
        set.removed === 'delete'
          ? 'Each stack is removed as soon as its state holds nothing: destroy what it holds.'
          : 'The set says removed: keep. Destroy and delete each stack, or bring its folder back.',
    },
    {
      standing: 'held',
      count: set.held,
      name: 'gone, held back',
      next: 'Their stacks would be removed, but so many at once may be a mistake: bring the folders back, or take them away in smaller parts.',
    },
    {
      standing: 'wrong',
      count: set.wrong,
      name: 'that can’t be made',
      next: 'Each would become a stack, once what is wrong with it is mended; the list says what.',
    },
    { standing: 'ignored', count: set.ignored, name: 'ignored', next: '' },
    { standing: 'bare', count: set.bare, name: 'without code', next: '' },
  ];
  return all.filter((s) => s.count > 0);
}

/** A set's own state in a word or two. */
export function standingOf(set: StackSet): { state: string; said: string } {
  if (!set.looked) return { state: 'pending', said: 'is being looked at' };
  if (set.held > 0) return { state: 'held', said: `${set.held} held back` };
  if (set.message) return { state: 'failed', said: 'could not look' };
  if (set.wrong > 0) return { state: 'lacking', said: `${plural(set.wrong, 'folder has', 'folders have')} no stack` };
  if (set.stale > 0) return { state: 'warn', said: `${plural(set.stale, 'stack is', 'stacks are')} not renewed` };
  if (set.kept > 0) return { state: 'warn', said: `${plural(set.kept, 'folder is', 'folders are')} gone` };
  return { state: 'synced', said: 'as its folders are' };
}

/** What the newest look changed, in words. */
export function cameTo({ made, gone }: Pick<StackSet, 'made' | 'gone'>): string {
  const parts = [
    made > 0 && `made ${plural(made, 'stack', 'stacks')}`,
    gone > 0 && `took ${plural(gone, 'stack', 'stacks')} away`,
  ].filter(Boolean);
  return parts.join(' and ') || 'changed nothing';
}

/** How a change of a trial is shown. */
export const triedWords: Record<StackSetTried['changes'][number]['standing'], { state: string; said: string }> = {
  made: { state: 'synced', said: 'would be made' },
  gone: { state: 'error', said: 'would be removed' },
  kept: { state: 'warn', said: 'would be kept' },
  wrong: { state: 'error', said: 'no stack' },
};

/** What a trial comes to, in a sentence. */
export function wouldBe(tried: StackSetTried): string {
  const parts = [
    tried.made > 0 && `${plural(tried.made, 'stack', 'stacks')} made`,
    tried.gone > 0 && `${plural(tried.gone, 'stack', 'stacks')} removed`,
    tried.kept > 0 && `${plural(tried.kept, 'stack', 'stacks')} kept without a folder`,
    tried.wrong > 0 && `${plural(tried.wrong, 'folder', 'folders')} without a stack`,
  ].filter(Boolean);
  const told = tried.made + tried.gone + tried.kept + tried.wrong;
  const cut = told > tried.changes.length ? `. The first ${tried.changes.length} are listed` : '';
  return `${plural(tried.stacks, 'stack', 'stacks')} in all${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${cut}.`;
}

const quoted = (s: string) => (/^[\w.:/@,-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`);

/** The command that tries the same. */
export function tryCommand(set: string, { folders, ignore, naming, removed }: SetText): string {
  return [
    'roadbed stack set try',
    set,
    ...folders.map((f) => `--folder ${quoted(f)}`),
    ...ignore.map((f) => `--ignore ${quoted(f)}`),
    `--naming ${quoted(naming)}`,
    `--removed ${removed}`,
  ].join(' ');
}

/** The command that lists the same folders. */
export function folderCommand(set: string, { text, standing }: { text?: string; standing?: string }): string {
  return [
    'roadbed stack set folders',
    set,
    ...(standing ? ['--standing', quoted(standing)] : []),
    ...(text ? ['--text', quoted(text)] : []),
  ].join(' ');
}
