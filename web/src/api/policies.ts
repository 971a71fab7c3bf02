// Policies, what they decided, and what others would have decided.
import { infiniteQueryOptions, queryOptions, useMutation } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, body } from './client';
import type { ReplayChange } from './types';

export interface PolicyFilter {
  point?: string;
  space?: string;
}

export const policies = (filter: PolicyFilter) =>
  infiniteQueryOptions({
    queryKey: ['policies', filter],
    queryFn: ({ pageParam }) =>
      body(api.GET('/api/v1/policies', { params: { query: { ...filter, limit: 50, cursor: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

export const policyPoints = queryOptions({
  queryKey: ['policy-points'],
  queryFn: () => body(api.GET('/api/v1/policy-points', { params: { query: { limit: 200 } } })),
  staleTime: Number.POSITIVE_INFINITY,
});

export const policy = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['policy', namespace, name],
    queryFn: () => body(api.GET('/api/v1/policies/{namespace}/{name}', { params: { path: { namespace, name } } })),
  });

export interface DecisionFilter extends PolicyFilter {
  policy?: string;
  run?: string;
  subject?: string;
}

export const decisions = (filter: DecisionFilter) =>
  infiniteQueryOptions({
    queryKey: ['decisions', filter],
    queryFn: ({ pageParam }) =>
      body(api.GET('/api/v1/decisions', { params: { query: { ...filter, limit: 20, cursor: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

export const decision = (id: string) =>
  queryOptions({
    queryKey: ['decision', id],
    queryFn: () => body(api.GET('/api/v1/decisions/{id}', { params: { path: { id } } })),
    staleTime: Number.POSITIVE_INFINITY, // what was decided stays
  });

export interface Candidate {
  policy: string;
  rego: string;
}

/** What is replayed: another source, other labels, or that the policy is gone. */
export interface Replayed {
  policy: string;
  rego?: string;
  attach?: { labels: string[]; stacks: string[] };
  gone?: boolean;
}

export function useTryPolicy() {
  return useMutation({
    mutationFn: (asked: Candidate & { decision: string }) => body(api.POST('/api/v1/policies/try', { body: asked })),
  });
}

export interface Progress {
  looked: number;
  total: number;
  examined: number;
  skipped: number;
  failed: number;
  changed: ReplayChange[];
  running: boolean;
  /** All decisions were looked at. */
  done: boolean;
  error?: unknown;
}

const nothing: Progress = {
  looked: 0,
  total: 0,
  examined: 0,
  skipped: 0,
  failed: 0,
  changed: [],
  running: false,
  done: false,
};

/** Asks a candidate about all recorded decisions, a part at a time; it can be stopped between two. */
export function useReplay() {
  const [progress, setProgress] = useState(nothing);
  const round = useRef(0);
  const start = async (candidate: Replayed) => {
    round.current++;
    const mine = round.current;
    let now: Progress = { ...nothing, running: true };
    setProgress(now);
    try {
      for (let cursor: string | undefined; ; ) {
        const part = await body(
          api.POST('/api/v1/policies/replay', { body: { ...candidate, limit: 1000, cursor: cursor ?? '' } }),
        );
        if (mine !== round.current) return;
        cursor = part.next || undefined;
        now = {
          looked: now.looked + part.looked,
          total: Math.max(now.total, part.total ?? 0),
          examined: now.examined + part.examined,
          skipped: now.skipped + part.skipped,
          failed: now.failed + part.failed,
          changed: [...now.changed, ...part.changed],
          running: cursor !== undefined,
          done: cursor === undefined,
        };
        setProgress(now);
        if (!cursor) return;
      }
    } catch (error) {
      if (mine === round.current) setProgress({ ...now, running: false, error });
    }
  };
  const stop = () => {
    round.current++;
    setProgress((p) => ({ ...p, running: false }));
  };
  return { progress, start, stop };
}
