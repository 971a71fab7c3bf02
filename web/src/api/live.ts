import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useRef, useState } from 'react';
import { type Connection, keepOpen, type Source } from './keepOpen';
import type { paths } from './schema';
import type { Whole } from './types';

export type { Connection } from './keepOpen';

type Streamed<P extends keyof paths> = paths[P] extends {
  get: {
    responses: { 200: { content: { 'text/event-stream': (infer E extends { event: string; data: unknown })[] } } };
  };
}
  ? E
  : never;

/** The addresses of streams, and by event what each of them carries. */
export type StreamPath = { [P in keyof paths]: [Streamed<P>] extends [never] ? never : P }[keyof paths];
type Handlers<P extends StreamPath> = {
  [E in Exclude<Streamed<P>['event'], 'beat' | 'problem'>]: (
    data: Whole<Extract<Streamed<P>, { event: E }>['data']>,
  ) => void;
};

interface Place {
  path?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
}

/** The address of a path of the API with its parameters filled in. */
export function address(path: string, { path: parameters = {}, query = {} }: Place = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  return asked.size > 0 ? `${filled}?${asked}` : filled;
}

/**
 * Follows a stream while the component is shown and its window is looked at: browsers allow a server six connections
 * for all windows together. Without a place nothing is followed. The place and the handlers may change from one render
 * to the next; a new connection is made only for another path.
 */
export function useEvents<P extends StreamPath>(
  path: P,
  place: Place | null,
  handlers: Handlers<P>,
  reopened?: () => void,
): Connection {
  const client = useQueryClient();
  const [state, setState] = useState<Connection>('connecting');
  const latest = useRef({ place, handlers, reopened });
  latest.current = { place, handlers, reopened };
  const names = Object.keys(handlers).join(',');
  const key = place && address(path, { path: place.path });

  useEffect(() => {
    if (key === null) return;
    const connect = () => new EventSource(address(path, latest.current.place ?? {})) as Source;
    const stream = keepOpen(connect, names.split(','), {
      state: setState,
      event: (name, data) => (latest.current.handlers as Record<string, (data: unknown) => void>)[name]?.(data),
      reopened: () => latest.current.reopened?.(),
      refused: () => void client.invalidateQueries({ queryKey: ['me'] }),
    });
    const look = () => (document.visibilityState === 'hidden' ? stream.pause() : stream.resume());
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      stream.pause();
      setState('connecting');
    };
  }, [path, key, names, client]);

  return state;
}

/** How the stream of the ledger stands, which the shell follows for every page. */
export const Live = createContext<Connection>('connecting');
export const useLive = () => useContext(Live);
