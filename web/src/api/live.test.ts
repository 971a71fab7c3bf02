import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { address } from './address';
import { keepOpen, type Source } from './keepOpen';
import { windowStream } from './live';
import { run } from './queries';
import { refresher, touched } from './touched';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A stream as a browser has it, whose server is the test. */
class Stream implements Source {
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  hears = new Map<string, (event: { data: string }) => void>();
  addEventListener(name: string, hear: (event: { data: string }) => void) {
    this.hears.set(name, hear);
  }
  close() {
    this.readyState = 2;
  }
  say(name: string, data: unknown = {}) {
    this.hears.get(name)?.({ data: JSON.stringify(data) });
  }
  fail(refused: boolean) {
    this.readyState = refused ? 2 : 0;
    this.onerror?.();
  }
}

function follow(wait?: number[]) {
  const streams: Stream[] = [];
  const told: string[] = [];
  const stream = keepOpen(
    () => {
      const s = new Stream();
      streams.push(s);
      return s;
    },
    ['run'],
    {
      state: (s) => told.push(s),
      event: (name, data) => told.push(`${name} ${JSON.stringify(data)}`),
      reopened: () => told.push('reopened'),
      refused: () => told.push('refused'),
    },
    wait,
  );
  const last = () => streams.at(-1) as Stream;
  return { stream, streams, told, last };
}

describe('a stream', () => {
  it('that was refused or ended with a problem comes back, and asks whether the session stands', () => {
    const { stream, streams, told, last } = follow([10]);
    stream.resume();
    last().onopen?.();
    last().say('run', 1);
    last().say('problem', { status: 401 });
    expect(told.splice(0)).toEqual(['live', 'run 1', 'broken', 'refused']);
    vi.advanceTimersByTime(10);
    last().fail(true);
    expect(told.splice(0)).toEqual(['broken', 'refused']);
    vi.advanceTimersByTime(10);
    last().onopen?.();
    expect(told).toEqual(['live', 'reopened']);
    expect(streams.map((s) => s.readyState)).toEqual([2, 2, 1]);
  });

  it('is tried at growing pauses while the server is away, and quickly again once it has stood', () => {
    const { stream, streams, last } = follow([1, 100]);
    stream.resume();
    last().fail(false);
    vi.advanceTimersByTime(1);
    last().onopen?.();
    last().say('beat');
    last().say('run');
    last().fail(false); // it stood for no time: the pause grows all the same
    vi.advanceTimersByTime(99);
    expect(streams.length).toBe(2);
    vi.advanceTimersByTime(1);
    expect(streams.length).toBe(3);
    last().say('beat');
    last().say('beat');
    last().fail(false);
    vi.advanceTimersByTime(1);
    expect(streams.length).toBe(4);
  });

  it('is closed while nobody looks, and stays so', () => {
    const { stream, streams, last } = follow([1]);
    stream.resume();
    last().fail(false);
    stream.pause();
    vi.advanceTimersByTime(1000);
    expect(streams.length).toBe(1);
    stream.resume();
    stream.resume();
    expect(streams.length).toBe(2);
    expect(last().readyState).toBe(1);
  });
});

it('asks on one stream for all that a page follows, and goes on where it was', async () => {
  const streams: (Stream & { url: string })[] = [];
  vi.stubGlobal(
    'EventSource',
    class extends Stream {
      constructor(readonly url: string) {
        super();
        streams.push(this);
      }
    },
  );
  const told: unknown[] = [];
  const stream = windowStream(
    new QueryClient(),
    (e) => told.push(e.position),
    () => {},
  );
  const last = () => streams.at(-1) as (typeof streams)[number];
  stream.resume();
  expect(last().url).toBe('/api/v1/events');
  last().say('start', { position: 7 });
  const follower = (name: string) => ({
    ask: () => (name === 'log' ? { run: 'run_1', step: 'a' } : { run: 'run_1' }),
    hears: () => ({ run: () => told.push(name), log: () => told.push(name) }),
    refused: (problem: Error) => told.push(problem.message),
  });
  stream.follow('run', follower('run'));
  const leave = stream.follow('log', follower('log'));
  await vi.advanceTimersByTimeAsync(1);
  expect(streams.map((s) => s.readyState)).toEqual([2, 1]); // both came at once
  expect(last().url).toBe('/api/v1/events?after=7&run=run_1&step=a');
  last().say('entry', { position: 8 });
  last().say('run');
  last().say('log', { next: 12 });
  last().say('refused', { of: 'log', problem: { status: 404, title: 'Not Found', detail: 'no such step' } });
  expect(told.splice(0)).toEqual([8, 'run', 'log', 'no such step']);
  last().fail(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(last().url).toBe('/api/v1/events?after=8&offset=12&run=run_1&step=a');
  leave();
  await vi.advanceTimersByTimeAsync(1);
  expect(last().url).toBe('/api/v1/events?after=8&run=run_1');
  streams[0]?.say('run'); // a connection that was left says nothing more
  expect(told).toEqual([]);
  stream.pause();
  vi.unstubAllGlobals();
});

it('fills the parameters of an address in, whatever they hold', () => {
  const pod = address('/log/{namespace}/{name}', {
    path: { namespace: 'a/b', name: 'c?d' },
    query: { pod: 'x&y', tail: undefined },
  });
  expect(pod).toBe('/log/a%2Fb/c%3Fd?pod=x%26y');
});

describe('an entry of the ledger', () => {
  it('makes stale what it is about, what it touches, and its run', () => {
    const keys = touched({ subject: 'run_1', refs: ['stack:default/infra'], run: 'run_1' }).map((t) =>
      t.queryKey.join(' '),
    );
    expect(keys).toContain('run run_1');
    expect(keys).toContain('stack default infra');
    expect(keys).toContain('stacks');
    expect(keys).toContain('entity stack default infra');
    expect(keys).not.toContain('applications');
    const app = touched({ subject: 'application:default/shop' }).map((t) => t.queryKey.join(' '));
    expect(app).toContain('application default shop');
  });

  it('is answered for however fast they come: what is asked anew is not interrupted by the next', async () => {
    const client = new QueryClient();
    let answered = 0;
    const slow = () => new Promise((resolve) => setTimeout(() => resolve(++answered), 500));
    const watched = new QueryObserver(client, { queryKey: ['ledger', 1], queryFn: slow });
    const leave = watched.subscribe(() => {});
    const refresh = refresher(client, 100);
    for (let i = 0; i < 40; i++) {
      refresh({ subject: 'run_1' });
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(answered).toBeGreaterThan(4);
    await vi.advanceTimersByTimeAsync(2_000);
    const settled = answered;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(answered).toBe(settled); // at rest again
    leave();
  });
});

it('keeps the newer of two answers about a run', async () => {
  const client = new QueryClient();
  const watched = new QueryObserver(client, { ...run('run_1'), enabled: false } as never);
  const leave = watched.subscribe(() => {});
  const had = () => (client.getQueryData(['run', 'run_1']) as { version: number } | undefined)?.version;
  for (const [version, kept] of [
    [3, 3],
    [2, 3],
    [4, 4],
  ]) {
    client.setQueryData(['run', 'run_1'], { version } as never);
    expect(had()).toBe(kept);
  }
  leave();
});
