import type { ProposalStack } from '../../api/types';

const counted = [
  ['create', 'to create'],
  ['update', 'to change'],
  ['replace', 'to replace'],
  ['delete', 'to destroy'],
  ['import', 'to import'],
  ['move', 'to move'],
  ['forget', 'to forget'],
  ['refresh', 'to refresh'],
] as const;

/** How a stack of a proposal stands, in a few words. */
export function planned(s: ProposalStack): string {
  if (!s.run) return s.reason ?? 'not planned';
  if (s.state === 'failed' || s.state === 'canceled' || s.state === 'discarded') return s.reason || s.state;
  if (!s.summary) return s.applied ? 'waits for its plan' : 'is planned';
  const sum = s.summary;
  const parts = counted.filter(([key]) => (sum[key] ?? 0) > 0).map(([key, word]) => `${sum[key]} ${word}`);
  if (sum.outputs > 0) parts.push(sum.outputs === 1 ? '1 output changes' : `${sum.outputs} outputs change`);
  const what = parts.join(', ') || 'nothing to change';
  if (s.state === 'unconfirmed') return `${what}; waits for somebody to confirm it`;
  return s.applied && s.state === 'finished' ? `applied: ${what}` : what;
}

/** NAMESPACE/NAME#NUMBER of the proposal that a run is a preview of, as its input has it. */
export function proposalOf(input: unknown): { full: string; path: string } | undefined {
  const full = (input as { proposal?: unknown } | undefined)?.proposal;
  const found = typeof full === 'string' ? /^([\w.-]+)\/([\w.-]+)#(\d+)$/.exec(full) : null;
  return found ? { full: found[0], path: `/repositories/${found[1]}/${found[2]}/proposals/${found[3]}` } : undefined;
}

/** What the platform says at a forge, which folds parts of it by HTML, as it reads here. */
export function unfolded(text: string): string {
  if (!text.includes('<!-- roadbed ')) return text;
  return text
    .replace(/<!-- roadbed [^\n]*? -->/g, '')
    .replace(/<details><summary>([^\n<]*)<\/summary>/g, '**$1**')
    .replace(/^<\/details>$/gm, '')
    .trim();
}
