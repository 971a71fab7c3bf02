import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

/** How many parts with nothing in them are read in a row before somebody is asked. Of the past each is thousands of versions. */
export const patience = 20;

export interface Looked {
  /** Parts at the end of what was read in which there was nothing. */
  empty: number;
  /** It goes on by itself, waits to be told so, or there is no more. */
  next: 'on' | 'ask' | 'end';
}

/** What to do behind the parts that were read; upTo is how many empty ones somebody knows of who told it to go on. */
export function looked(parts: { items: unknown[] }[], more: boolean, upTo = 0): Looked {
  const full = parts.findLastIndex((p) => p.items.length > 0);
  const empty = parts.length - 1 - full;
  if (!more) return { empty, next: 'end' };
  return { empty, next: empty - Math.min(upTo, empty) < patience ? 'on' : 'ask' };
}

type Query = UseInfiniteQueryResult<InfiniteData<{ items: unknown[] }>>;

/** Reads on while nothing was found yet, as a list of the past may have parts without anything. The key is what is looked for. */
export function useFurther(query: Query, key: string): Looked & { goOn: () => void } {
  const [told, setTold] = useState({ key, empty: 0 });
  const parts = query.data?.pages ?? [];
  const failed = query.isFetchNextPageError;
  const { empty, next } = looked(parts, query.hasNextPage, told.key === key ? told.empty : 0);
  const none = parts.length > 0 && empty === parts.length;
  const { fetchNextPage, isFetching } = query;
  useEffect(() => {
    if (none && next === 'on' && !failed && !isFetching) void fetchNextPage();
  }, [none, next, failed, isFetching, fetchNextPage]);
  const goOn = () => {
    setTold({ key, empty });
    void fetchNextPage();
  };
  return { empty, next: failed && next === 'on' ? 'ask' : next, goOn };
}
