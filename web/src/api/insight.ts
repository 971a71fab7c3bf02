// What scorecards and radars say.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, body } from './client';
import type { Severity } from './types';

const minute = 60_000;

export const scorecards = infiniteQueryOptions({
  queryKey: ['scorecards'],
  queryFn: ({ pageParam }) =>
    body(api.GET('/api/v1/scorecards', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

export const scorecard = (namespace: string, name: string, team?: string) =>
  queryOptions({
    queryKey: ['scorecard', namespace, name, team],
    queryFn: () =>
      body(
        api.GET('/api/v1/scorecards/{namespace}/{name}', { params: { path: { namespace, name }, query: { team } } }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: minute / 4, // judging goes on without an entry for each entity
  });

export const scorecardTrend = (namespace: string, name: string, team?: string) =>
  queryOptions({
    queryKey: ['scorecard', namespace, name, 'trend', team],
    queryFn: () =>
      body(
        api.GET('/api/v1/scorecards/{namespace}/{name}/trend', {
          params: { path: { namespace, name }, query: { team } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export interface ResultFilter {
  team?: string;
  level?: string;
  failing?: string;
}

export const scorecardEntities = (namespace: string, name: string, filter: ResultFilter) =>
  infiniteQueryOptions({
    queryKey: ['scorecard', namespace, name, 'entities', filter],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/scorecards/{namespace}/{name}/entities', {
          params: { path: { namespace, name }, query: { ...filter, limit: 50, cursor: pageParam } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const scorecardTeams = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['scorecard', namespace, name, 'teams'],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/scorecards/{namespace}/{name}/teams', {
          params: { path: { namespace, name }, query: { limit: 50, cursor: pageParam } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

export const standings = (kind: string, namespace: string, name: string) =>
  queryOptions({
    queryKey: ['entity', kind.toLowerCase(), namespace, name, 'scorecards'],
    queryFn: () =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/scorecards', {
          params: { path: { kind: kind.toLowerCase(), namespace, name }, query: { limit: 200 } },
        }),
      ),
    refetchInterval: minute / 4,
  });

export const standingHistory = (kind: string, namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['entity', kind.toLowerCase(), namespace, name, 'scorecards', 'history'],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/scorecards/history', {
          params: { path: { kind: kind.toLowerCase(), namespace, name }, query: { limit: 20, cursor: pageParam } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

export const radars = infiniteQueryOptions({
  queryKey: ['radars'],
  queryFn: ({ pageParam }) => body(api.GET('/api/v1/radars', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
});

export const radar = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['radar', namespace, name],
    queryFn: () => body(api.GET('/api/v1/radars/{namespace}/{name}', { params: { path: { namespace, name } } })),
  });

export const metrics = (kind: string, namespace: string, name: string) =>
  queryOptions({
    queryKey: ['entity', kind.toLowerCase(), namespace, name, 'metrics'],
    queryFn: () =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/metrics', {
          params: { path: { kind: kind.toLowerCase(), namespace, name }, query: { limit: 200 } },
        }),
      ),
    refetchInterval: minute, // the ledger tells of new ones, not of each value
  });

export const findings = (kind: string, namespace: string, name: string, severity?: Severity) =>
  infiniteQueryOptions({
    queryKey: ['entity', kind.toLowerCase(), namespace, name, 'findings', severity],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/findings', {
          params: {
            path: { kind: kind.toLowerCase(), namespace, name },
            query: { severity, limit: 20, cursor: pageParam },
          },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });
