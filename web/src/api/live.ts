import type { QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useRef, useState } from 'react';
import { address } from './address';
import { type Connection, keepOpen, type Source } from './keepOpen';
import { type Problem, problemOf } from './problem';
import type { paths } from './schema';
import type { Whole } from './types';

export type { Connection } from './keepOpen';

type Events = paths['/api/v1/events']['get'];
type Event = Events['responses'][200]['content']['text/event-stream'][number];
type Asked = NonNullable<Events['parameters']['query']>;
/** What is heard of a stream, by the names of its events. */
export type Hears = { [E in Event['event']]?: (data: Whole<Extract<Event, { event: E }>['data']>) => void };

/** The parts of a page's stream, with the events that each of them hears. */
const heard = { run: ['run'], log: ['log', 'end'], application: ['application'] } as const;
export type Part = keyof typeof heard;

interface Follower {
  ask: () => Asked;
  hears: () => Hears;
  refused: (problem: Problem) => void;
}

/**
 * The one stream of a window: it tells the ledger, and what the page that is shown follows besides. Browsers allow a
 * server six connections in all of their windows together, so that each window has one, and none while nobody looks.
 */
export function windowStream(client: QueryClient, entry: NonNullable<Hears['entry']>, state: (s: Connection) => void) {
  const followers = new Map<Part, Follower>();
  let after: number | undefined;
  let offset: number | undefined; // where the log goes on
  const own: Hears = {
    start: ({ position }) => {
      after = position;
    },
    entry: (e) => {
      after = e.position;
      entry(e);
    },
    refused: ({ of, problem }) => {
      followers.get(of as Part)?.refused(problemOf(problem.status ?? 0, problem.title ?? '', problem));
    },
  };
  const parts = Object.keys(heard) as Part[];
  const events = parts.flatMap((part) => [...heard[part]]);
  const connect = () => {
    const asked: Asked = Object.assign({ after, offset }, ...[...followers.values()].map((f) => f.ask()));
    return new EventSource(address('/api/v1/events', { query: { ...asked } })) as Source;
  };
  const stream = keepOpen(connect, [...Object.keys(own), ...events], {
    state,
    event: (name, data) => {
      if (name === 'log') offset = (data as { next: number }).next;
      const part = parts.find((p) => (heard[p] as readonly string[]).includes(name));
      const hears = part ? followers.get(part)?.hears() : own;
      (hears?.[name as Event['event']] as ((data: unknown) => void) | undefined)?.(data);
    },
    reopened: () => void client.invalidateQueries(),
    refused: () => void client.invalidateQueries({ queryKey: ['me'] }),
  });
  return {
    resume: stream.resume,
    pause: () => {
      stream.pause();
      after = undefined; // on return all is asked anew; a long story need not be told
    },
    follow: (part: Part, follower: Follower) => {
      followers.set(part, follower);
      if (part === 'log') offset = undefined;
      stream.change();
      return () => {
        if (followers.get(part) !== follower) return;
        followers.delete(part);
        if (part === 'log') offset = undefined;
        stream.change();
      };
    },
  };
}

interface Window {
  state: Connection;
  follow: ReturnType<typeof windowStream>['follow'];
}

/** The stream of this window, which the shell holds open. */
export const Live = createContext<Window>({ state: 'connecting', follow: () => () => {} });
export const useLive = () => useContext(Live).state;

/**
 * Follows a part while the component is shown; nothing while asked is null. A log is told from its beginning, and goes on
 * where it was when the connection has broken. The hearers may change from one render to the next. Gives why the server
 * refused, if it did.
 */
export function useFollowed(part: Part, asked: Asked | null, hears: Hears): Problem | undefined {
  const { follow } = useContext(Live);
  const [refused, setRefused] = useState<Problem>();
  const latest = useRef({ asked, hears });
  latest.current = { asked, hears };
  const key = asked && JSON.stringify(asked);

  useEffect(() => {
    if (key === null) return;
    setRefused(undefined);
    return follow(part, {
      ask: () => latest.current.asked ?? {},
      hears: () => latest.current.hears,
      refused: setRefused,
    });
  }, [follow, part, key]);

  return refused;
}
