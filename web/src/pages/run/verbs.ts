import type { Verb } from '../../api/actions';
import { outcomeOf } from './outcome';

interface Words {
  label: string;
  /** What it does, before somebody does it. */
  says: string;
  destructive?: boolean;
  takesNote?: boolean;
}

export const verbWords: Record<Verb, Words> = {
  confirm: {
    label: 'Confirm',
    says: 'The plan is applied as it stands, if the approval policies agree.',
    takesNote: true,
  },
  approve: {
    label: 'Approve',
    says: 'Your vote for this run is noted; policies say how many it needs.',
    takesNote: true,
  },
  reject: { label: 'Reject', says: 'Your vote against this run is noted.', destructive: true, takesNote: true },
  discard: { label: 'Discard', says: 'The run ends, and nothing is changed.', destructive: true, takesNote: true },
  cancel: {
    label: 'Cancel',
    says: 'Work that goes on is stopped. What it has done until now stays.',
    destructive: true,
  },
  promote: {
    label: 'Promote',
    says: 'A tracked run begins at the same commit. It plans anew, and is reviewed as any other.',
  },
  prioritize: { label: 'Prioritize', says: 'The run goes before others that wait for the stack, or for a worker.' },
  unprioritize: { label: 'Take the priority back', says: 'The run waits for its turn again.' },
  retry: { label: 'Retry', says: 'The run goes on from where it failed.' },
  undo: {
    label: 'Undo',
    says: 'Everything that this run made is deleted: its repository and its entities.',
    destructive: true,
  },
};

const order: Verb[] = [
  'confirm',
  'approve',
  'retry',
  'promote',
  'discard',
  'reject',
  'cancel',
  'undo',
  'prioritize',
  'unprioritize',
];

/** What may be done with a run: the one main action first, then the others in a settled order. */
export function offered(run: { can: string[] }): Verb[] {
  return order.filter((verb) => run.can.includes(verb));
}

/** What must be typed before a run is undone: the repository that goes with all that it holds. */
export function undoName(run: { title: string; output?: unknown }): string {
  return outcomeOf(run.output).made.find((m) => m.kind === 'repository')?.name ?? run.title;
}

export function command(verb: Verb, id: string): string {
  return verb === 'unprioritize' ? `roadbed run prioritize ${id} --off` : `roadbed run ${verb} ${id}`;
}
