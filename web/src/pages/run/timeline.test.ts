import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../api/types';
import { timeline } from './timeline';

let position = 0;
const entry = (type: string, data: unknown, who = ''): LedgerEntry => {
  position++;
  const at = `2026-01-01T00:00:${String(position).padStart(2, '0')}Z`;
  const actor = who
    ? { id: `pri_${who}`, name: who, ref: `user:default/${who}` }
    : { id: 'system', name: 'the platform' };
  return { id: `led_${position}`, position, type, data, actor, time: at, subject: 'run_1', hash: '' } as LedgerEntry;
};
const to = (state: string, who?: string, reason?: string) =>
  entry('run.state-changed', { from: 'x', to: state, reason }, who);

it('tells what became of a run, and who did it, each thing once', () => {
  const entries = [
    entry('run.created', { state: 'queued' }, 'alice'),
    to('ready', 'alice'),
    to('planning'),
    to('judging'),
    to('unconfirmed'),
    entry('run.reviewed', { verdict: 'approve' }, 'bob'),
    entry('run.reviewed', { verdict: 'confirm' }, 'carol'),
    to('confirmed', 'carol'),
    to('applying', 'carol'),
    to('finished', undefined, 'applied: 1 to create'),
    entry('stack.applied', {}, 'carol'),
  ];
  const told = timeline(entries.toReversed());
  expect(told.map((t) => [t.what, t.who].filter(Boolean).join(' by '))).toEqual([
    'created by alice',
    'planning',
    'judging',
    'unconfirmed',
    'approve by bob',
    'confirmed by carol',
    'applying',
    'finished',
  ]);
  expect(told[0]?.until).toBe(told[1]?.at);
  expect(told.at(-1)).toMatchObject({ until: undefined, why: 'applied: 1 to create' });
});

it('tells of a run that was canceled and retried', () => {
  const entries = [
    entry('run.created', {}, 'alice'),
    to('planning'),
    entry('run.cancel-requested', {}, 'bob'),
    to('canceled'),
    entry('run.retried', {}, 'alice'),
    to('queued', 'alice'),
    to('planning'),
  ];
  expect(timeline(entries).map((t) => `${t.what} ${t.who ?? ''}`)).toEqual([
    'created alice',
    'planning ',
    'canceled bob',
    'retried alice',
    'planning ',
  ]);
});

it('names who does one thing after another once, and again after somebody else', () => {
  const entries = [
    entry('run.created', {}, 'alice'),
    to('planning', 'alice'),
    to('judging', 'alice'),
    to('unconfirmed', 'alice'),
    to('applying'),
    to('finished', 'alice'),
  ];
  expect(timeline(entries).map((t) => `${t.what} ${t.who ?? ''}`)).toEqual([
    'created alice',
    'planning ',
    'judging ',
    'unconfirmed ',
    'applying ',
    'finished alice',
  ]);
});
