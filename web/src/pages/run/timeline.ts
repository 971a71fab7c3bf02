import type { LedgerEntry } from '../../api/types';

/** A moment of a run's history: that it came into a state, or what somebody did with it. */
export interface Happened {
  id: string;
  /** The state, or the deed: both have a word and a tone. */
  what: string;
  at: string;
  /** When the next one came; absent for the last. */
  until?: string;
  /** A person, or a machine that acts as one. */
  who?: string;
  why?: string;
}

const deeds: Record<string, string> = {
  'run.created': 'created',
  'run.cancel-requested': 'asked to cancel',
  'run.retried': 'retried',
  'run.prioritized': 'prioritized',
};

const field = (data: unknown, name: string): string => {
  const value = data && typeof data === 'object' ? (data as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : '';
};

/** What a deed leads to at once is told with it, and not once more. */
const follows: Record<string, string[]> = {
  created: ['queued', 'ready'],
  retried: ['queued', 'ready'],
  confirm: ['confirmed'],
  discard: ['discarded'],
  replan: ['replan_requested'],
  'asked to cancel': ['canceled'],
};

/** The history of a run by its ledger, the oldest first. */
export function timeline(entries: LedgerEntry[]): Happened[] {
  const out: Happened[] = [];
  let told: string | undefined; // who was named last, also where they were not named again
  for (const entry of entries.toSorted((a, b) => a.position - b.position)) {
    const who = entry.actor.ref ? entry.actor.name : undefined;
    const one: Happened = { id: entry.id, what: deeds[entry.type] ?? '', at: entry.time, who };
    const last = out.at(-1);
    if (entry.type === 'run.reviewed') one.what = field(entry.data, 'verdict');
    if (entry.type === 'run.state-changed') {
      one.what = field(entry.data, 'to');
      one.why = field(entry.data, 'reason') || undefined;
      if (last && follows[last.what]?.includes(one.what)) {
        if (last.what !== 'created' && last.what !== 'retried') last.what = one.what;
        last.why = one.why ?? last.why;
        continue;
      }
      if (last && told === who) one.who = undefined; // said a moment before
    }
    if (!one.what) continue;
    told = who;
    out.push(one);
  }
  return out.map((one, i) => ({ ...one, until: out[i + 1]?.at }));
}
