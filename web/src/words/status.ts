import { plain } from './ref';

export type Tone = 'good' | 'bad' | 'busy' | 'wait' | 'quiet' | 'warn';

const tones: Record<Tone, string[]> = {
  good: [
    'finished',
    'succeeded',
    'healthy',
    'synced',
    'approved',
    'confirmed',
    'whole',
    'approve',
    'confirm',
    'passed',
    'merged',
    'registered',
  ],
  bad: [
    'failed',
    'error',
    'degraded',
    'rejected',
    'deny',
    'reject',
    'missing',
    'broken',
    'refused',
    'conflicts',
    'away',
  ],
  busy: [
    'replan_requested',
    'running',
    'planning',
    'applying',
    'destroying',
    'judging',
    'syncing',
    'progressing',
    'leased',
    'undoing',
    'preparing',
  ],
  wait: [
    'pending_review',
    'unconfirmed',
    'waiting-for-review',
    'queued',
    'pending',
    'ready',
    'waiting',
    'suspended',
    'open',
    'limited',
  ],
  warn: ['outofsync', 'rolling-back', 'rollingback', 'rolled-back', 'warn', 'discarded', 'undone', 'lacking', 'held'],
  quiet: [
    'draft',
    'commented',
    'closed',
    'canceled',
    'cancelled',
    'skipped',
    'unknown',
    'omitted',
    'without',
    'excluded',
  ],
};

const words: Record<string, string> = {
  leased: 'running',
  ready: 'queued',
  unconfirmed: 'waits for review',
  pending_review: 'waits for review',
  replan_requested: 'plans anew',
  outofsync: 'out of sync',
};

/** What a state means for whoever looks: shown as an icon and a colour beside the word. */
export function tone(state: string): Tone {
  const key = state.toLowerCase();
  for (const [name, states] of Object.entries(tones)) {
    if (states.includes(key)) return name as Tone;
  }
  return 'quiet';
}

export function word(state: string): string {
  return words[state.toLowerCase()] ?? plain(state);
}
