import type { StackOrder, Verb } from '../../api/actions';
import type { Run, Stack } from '../../api/types';

/** What can be done with several runs at once, in the order in which it is offered. */
export const manyVerbs = ['confirm', 'approve', 'retry', 'discard', 'reject', 'cancel'] as const satisfies Verb[];
export type ManyVerb = (typeof manyVerbs)[number];

/** What can be done with some of the chosen runs, and with which. */
export function deedsOf(runs: Pick<Run, 'id' | 'can'>[]): { verb: ManyVerb; ids: string[] }[] {
  return manyVerbs
    .map((verb) => ({ verb, ids: runs.filter((r) => r.can.includes(verb)).map((r) => r.id) }))
    .filter((d) => d.ids.length > 0);
}

/** What can be begun of several stacks at once, and the right that each takes. */
export const starts: {
  type: Exclude<StackOrder['type'], 'destroy' | 'task'>;
  right: string;
  label: string;
  says: string;
}[] = [
  {
    type: 'tracked',
    right: 'apply',
    label: 'Plan and apply',
    says: 'Each plans at the head of its branch, and is reviewed as any other run.',
  },
  { type: 'proposed', right: 'plan', label: 'Plan only', says: 'Each plans at the head of its branch.' },
  {
    type: 'drift',
    right: 'plan',
    label: 'Look for drift',
    says: 'Each is looked at as it was applied; nothing is changed.',
  },
];

/** What can be begun of some of the chosen stacks, and of which. */
export function startsOf(stacks: Pick<Stack, 'ref' | 'can' | 'state'>[]) {
  return starts
    .map((s) => ({
      ...s,
      refs: stacks.filter((k) => k.can.includes(s.right) && (s.type !== 'drift' || k.state)).map((k) => k.ref),
    }))
    .filter((s) => s.refs.length > 0);
}
