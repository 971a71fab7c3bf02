import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, body, keepCSRF, text } from './client';

const minute = 60_000;

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async () => {
    const who = await body(api.GET('/api/v1/whoami'));
    keepCSRF(who.csrf);
    return who;
  },
  staleTime: 10 * minute,
});

export const home = queryOptions({
  queryKey: ['home'],
  queryFn: () => body(api.GET('/api/v1/home')),
  refetchInterval: 15_000,
});

export const status = queryOptions({
  queryKey: ['status'],
  queryFn: () => body(api.GET('/api/v1/status')),
  staleTime: 10 * minute,
});

export interface EntityFilter {
  kind?: string;
  owner?: string;
  space?: string;
  text?: string;
  type?: string;
}

export const entities = (filter: EntityFilter, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ['entities', filter, limit],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/entities', { params: { query: { ...filter, limit, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (before) => before,
  });

export const facet = (name: 'kind' | 'owner' | 'space' | 'type', filter: EntityFilter) =>
  queryOptions({
    queryKey: ['entities', 'facet', name, filter],
    queryFn: () => body(api.GET('/api/v1/facets', { params: { query: { ...filter, facet: name } } })),
    placeholderData: (before) => before,
  });

export const entity = (kind: string, namespace: string, name: string) =>
  queryOptions({
    queryKey: ['entity', kind, namespace, name],
    queryFn: () =>
      body(api.GET('/api/v1/entities/{kind}/{namespace}/{name}', { params: { path: { kind, namespace, name } } })),
  });

export const entityHistory = (kind: string, namespace: string, name: string) =>
  queryOptions({
    queryKey: ['entity', kind, namespace, name, 'history'],
    queryFn: () =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/history', { params: { path: { kind, namespace, name } } }),
      ),
  });

export interface RunFilter {
  kind?: string;
  state?: string;
  space?: string;
  subject?: string;
  repository?: string;
  commit?: string;
  actor?: string;
  waiting?: boolean;
  open?: boolean;
}

export const runs = (filter: RunFilter, limit = 50) =>
  infiniteQueryOptions({
    queryKey: ['runs', filter, limit],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/runs', { params: { query: { ...filter, limit, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (before) => before,
    refetchInterval: 5_000,
  });

export const run = (id: string) =>
  queryOptions({
    queryKey: ['run', id],
    queryFn: () => body(api.GET('/api/v1/runs/{id}', { params: { path: { id } } })),
  });

/** The plan of a stack run; asked for anew when the run's state has changed. */
export const plan = (id: string, state: string) =>
  queryOptions({
    queryKey: ['run', id, 'plan', state],
    queryFn: () => body(api.GET('/api/v1/runs/{id}/plan', { params: { path: { id } } })),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

export const runGraph = (id: string, version: number) =>
  queryOptions({
    queryKey: ['run', id, 'graph', version],
    queryFn: () => body(api.GET('/api/v1/runs/{id}/graph', { params: { path: { id } } })),
    placeholderData: (before) => before,
  });

export const stacks = queryOptions({
  queryKey: ['stacks'],
  queryFn: () => body(api.GET('/api/v1/stacks', { params: { query: { limit: 200 } } })),
  refetchInterval: 10_000,
});

export const stack = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name],
    queryFn: () => body(api.GET('/api/v1/stacks/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: 10_000,
  });

export const stackStates = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name, 'states'],
    queryFn: () => body(api.GET('/api/v1/stacks/{namespace}/{name}/states', { params: { path: { namespace, name } } })),
  });

export const applications = queryOptions({
  queryKey: ['applications'],
  queryFn: () => body(api.GET('/api/v1/applications', { params: { query: { limit: 200 } } })),
  refetchInterval: 5_000,
});

export const application = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['application', namespace, name],
    queryFn: () => body(api.GET('/api/v1/applications/{namespace}/{name}', { params: { path: { namespace, name } } })),
  });

export const applicationDiff = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['application', namespace, name, 'diff'],
    queryFn: () =>
      body(api.GET('/api/v1/applications/{namespace}/{name}/diff', { params: { path: { namespace, name } } })),
  });

export const podLog = (namespace: string, name: string, pod: string) =>
  queryOptions({
    queryKey: ['application', namespace, name, 'log', pod],
    queryFn: async () =>
      (await text(`/applications/${namespace}/${name}/log?tail=1000&pod=${encodeURIComponent(pod)}`)).text,
    refetchInterval: 3_000,
  });

export interface LedgerFilter {
  ref?: string;
  type?: string;
  actor?: string;
  run?: string;
}

export const ledger = (filter: LedgerFilter, limit = 50) =>
  infiniteQueryOptions({
    queryKey: ['ledger', filter, limit],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/ledger', { params: { query: { ...filter, limit, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (before) => before,
  });

export const templateSchema = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['template', namespace, name],
    queryFn: () =>
      body(api.GET('/api/v1/templates/{namespace}/{name}/schema', { params: { path: { namespace, name } } })),
    staleTime: minute,
  });

export const spaces = queryOptions({
  queryKey: ['spaces'],
  queryFn: () => body(api.GET('/api/v1/spaces')),
  staleTime: minute,
});

export const tokens = queryOptions({
  queryKey: ['tokens'],
  queryFn: () => body(api.GET('/api/v1/tokens')),
});
