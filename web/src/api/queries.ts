import { infiniteQueryOptions, keepPreviousData, queryOptions, replaceEqualDeep } from '@tanstack/react-query';
import { address } from './address';
import { api, body, keepProof, text } from './client';

const minute = 60_000;

// The shell follows the ledger and asks anew for what changed (touched.ts). The slow intervals here are for what has no
// entry of its own, and for what changed while the stream was not there.

/** Of two answers the newer one is kept: a slow answer doesn't overwrite what a stream told since. */
function newer(before: unknown, now: unknown): unknown {
  const version = (x: unknown) => (x as { version?: number } | undefined)?.version ?? 0;
  return version(before) > version(now) ? before : replaceEqualDeep(before, now);
}

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: async () => {
    const who = await body(api.GET('/api/v1/whoami'));
    keepProof(who);
    return who;
  },
  staleTime: 10 * minute,
});

export const home = queryOptions({
  queryKey: ['home'],
  queryFn: () => body(api.GET('/api/v1/home')),
  refetchInterval: minute,
});

export const status = queryOptions({
  queryKey: ['status'],
  queryFn: () => body(api.GET('/api/v1/status')),
  staleTime: 10 * minute,
});

export interface EntityFilter {
  kind?: string;
  owner?: string;
  /** With the groups below the owner. */
  below?: boolean;
  space?: string;
  namespace?: string;
  text?: string;
  type?: string;
  lifecycle?: string;
  system?: string;
  tag?: string;
  mine?: boolean;
  starred?: boolean;
  gap?: string;
  location?: string;
  failed?: boolean;
  orphan?: boolean;
  sort?: string;
  /** The catalog as it was at a time. */
  asOf?: string;
}

export const entities = (filter: EntityFilter, limit = 100) =>
  infiniteQueryOptions({
    queryKey: ['entities', filter, limit],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/entities', { params: { query: { ...filter, limit, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

/** What a picker offers: the first entities of a filter. */
export const choices = (filter: EntityFilter) =>
  queryOptions({
    queryKey: ['entities', 'choices', filter],
    queryFn: ({ signal }) => body(api.GET('/api/v1/entities', { params: { query: { ...filter, limit: 50 } }, signal })),
    placeholderData: keepPreviousData,
  });

export const facet = (name: 'kind' | 'owner' | 'space' | 'type', filter: EntityFilter) =>
  queryOptions({
    queryKey: ['entities', 'facet', name, filter],
    queryFn: () => body(api.GET('/api/v1/facets', { params: { query: { ...filter, facet: name } } })),
    placeholderData: keepPreviousData,
  });

/** Fields that the side bar counts, each as if the list were not narrowed by it. */
const counted = 'kind,type,owner,lifecycle,tag,system,namespace,space,state,personal,gap';

/** Of the past there are neither states nor gaps. */
const countedThen = 'kind,type,owner,lifecycle,tag,system,namespace,space,personal';

export const facets = (filter: EntityFilter, facet = filter.asOf ? countedThen : counted, contains?: string) =>
  queryOptions({
    queryKey: ['entities', 'facets', facet, filter, contains],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/facets', { params: { query: { ...filter, facet, apart: true, contains } }, signal })),
    placeholderData: keepPreviousData,
  });

/** How many values of a field are counted at once, the most frequent. */
export const mostFacets = 200;

export const stars = queryOptions({
  queryKey: ['stars'],
  queryFn: ({ signal }) =>
    everything((cursor) => body(api.GET('/api/v1/stars', { params: { query: { limit: 200, cursor } }, signal }))),
  staleTime: minute,
});

export const views = queryOptions({
  queryKey: ['views'],
  queryFn: ({ signal }) =>
    everything((cursor) => body(api.GET('/api/v1/views', { params: { query: { limit: 200, cursor } }, signal }))),
  staleTime: minute,
});

/** All pages of a list that is short. */
async function everything<T>(read: (cursor?: string) => Promise<{ items: T[]; next?: string }>): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | undefined; ; ) {
    const part = await read(cursor);
    all.push(...part.items);
    cursor = part.next;
    if (!cursor) return all;
  }
}

export const entity = (kind: string, namespace: string, name: string, asOf?: string) =>
  queryOptions({
    queryKey: asOf ? ['entity', kind, namespace, name, asOf] : ['entity', kind, namespace, name],
    queryFn: () =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}', {
          params: { path: { kind, namespace, name }, query: { asOf } },
        }),
      ),
  });

export interface GraphFilter {
  root: string;
  view?: 'around' | 'impact' | 'needs' | 'owned';
  direction?: 'both' | 'out' | 'in';
  depth?: number;
  nodes?: number;
  /** The graph as it was at a time. */
  asOf?: string;
}

export const entityGraph = (filter: GraphFilter) =>
  queryOptions({
    queryKey: ['graph', filter],
    queryFn: ({ signal }) => body(api.GET('/api/v1/graph', { params: { query: filter }, signal })),
    placeholderData: keepPreviousData,
    enabled: filter.root !== '',
  });

export interface ChangesFilter {
  from: string;
  to?: string;
  kind?: string;
  owner?: string;
  space?: string;
}

export const changes = (filter: ChangesFilter) =>
  infiniteQueryOptions({
    queryKey: ['changes', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/changes', { params: { query: { ...filter, limit: 50, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export interface HistoryFilter {
  since?: string;
  until?: string;
  /** Id of a principal. */
  actor?: string;
}

export const entityHistory = (kind: string, namespace: string, name: string, filter: HistoryFilter = {}) =>
  infiniteQueryOptions({
    queryKey: ['entity', kind, namespace, name, 'history', filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/entities/{kind}/{namespace}/{name}/history', {
          params: { path: { kind, namespace, name }, query: { ...filter, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
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
    placeholderData: keepPreviousData,
    refetchInterval: minute,
  });

/** The newest runs, for the palette to look among. */
export const latestRuns = queryOptions({
  queryKey: ['runs', 'latest'],
  queryFn: () => body(api.GET('/api/v1/runs', { params: { query: { limit: 100 } } })),
});

export const run = (id: string) =>
  queryOptions({
    queryKey: ['run', id],
    queryFn: () => body(api.GET('/api/v1/runs/{id}', { params: { path: { id } } })),
    structuralSharing: newer,
  });

/** The plan of a stack run; asked for anew when the run's state, or the plan that it has, is another. */
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
    placeholderData: keepPreviousData,
  });

export interface StackFilter {
  text?: string;
  space?: string;
  state?: string;
  drifted?: boolean;
  queued?: boolean;
  set?: string;
}

export const stacks = (filter: StackFilter = {}) =>
  infiniteQueryOptions({
    queryKey: ['stacks', 'list', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/stacks', { params: { query: { ...filter, limit: 100, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: minute,
  });

export const stackSets = queryOptions({
  queryKey: ['stacks', 'sets'],
  queryFn: () => body(api.GET('/api/v1/stack-sets', { params: { query: { limit: 100 } } })),
  staleTime: minute,
});

/** The runs of a stack that are under way, in the order in which they go on. */
export const stackQueue = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name, 'queue'],
    queryFn: () =>
      body(
        api.GET('/api/v1/stacks/{namespace}/{name}/queue', {
          params: { path: { namespace, name }, query: { limit: 50 } },
        }),
      ),
    refetchInterval: minute,
    retry: false,
  });

export const stack = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name],
    queryFn: () => body(api.GET('/api/v1/stacks/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: minute,
  });

export const stackStates = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['stack', namespace, name, 'states'],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/stacks/{namespace}/{name}/states', {
          params: { path: { namespace, name }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

export const applications = infiniteQueryOptions({
  queryKey: ['applications'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/applications', { params: { query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
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
      (
        await text(
          address('/api/v1/applications/{namespace}/{name}/log', {
            path: { namespace, name },
            query: { tail: 1000, pod },
          }),
        )
      ).text,
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
    placeholderData: keepPreviousData,
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
  queryFn: () => body(api.GET('/api/v1/spaces', { params: { query: { limit: 200 } } })),
  staleTime: minute,
});

export const integrations = infiniteQueryOptions({
  queryKey: ['integrations'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/integrations', { params: { query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

/** One forge; until it was tried for the first time it is asked for often. */
export const integration = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['integration', namespace, name],
    queryFn: () => body(api.GET('/api/v1/integrations/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: (query) => (query.state.data?.state === 'unknown' ? 2_000 : minute),
  });

export const secrets = (space: string) =>
  queryOptions({
    queryKey: ['secrets', space],
    queryFn: () => body(api.GET('/api/v1/secrets/{space}', { params: { path: { space }, query: { limit: 200 } } })),
  });

export const tokens = infiniteQueryOptions({
  queryKey: ['tokens'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/tokens', { params: { query: { cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
});

export interface ProposalFilter {
  repository?: string;
  state?: 'open' | 'closed' | 'merged';
  author?: string;
  assignee?: string;
  text?: string;
  draft?: 'true' | 'false';
  waiting?: boolean;
}

export const proposals = (filter: ProposalFilter) =>
  infiniteQueryOptions({
    queryKey: ['proposals', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/proposals', { params: { query: { ...filter, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const proposalCounts = (filter: ProposalFilter) =>
  queryOptions({
    queryKey: ['proposals', 'counts', filter],
    queryFn: ({ signal }) => body(api.GET('/api/v1/proposals/counts', { params: { query: filter }, signal })),
    placeholderData: keepPreviousData,
  });

export interface ProposalPath {
  namespace: string;
  name: string;
  number: number;
}

const proposalKey = (path: ProposalPath) => ['proposal', `${path.namespace}/${path.name}#${path.number}`];

export const proposal = (path: ProposalPath) =>
  queryOptions({
    queryKey: proposalKey(path),
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/proposals/{number}', {
          params: { path: { ...path } },
          signal,
        }),
      ),
    structuralSharing: newer,
    refetchInterval: minute,
  });

export const proposalComments = (path: ProposalPath) =>
  queryOptions({
    queryKey: [...proposalKey(path), 'comments'],
    queryFn: async ({ signal }) => {
      const all = [];
      for (let cursor: string | undefined, first = true; first || cursor; first = false) {
        const part = await body(
          api.GET('/api/v1/repositories/{namespace}/{name}/proposals/{number}/comments', {
            params: { path: { ...path }, query: { limit: 200, cursor } },
            signal,
          }),
        );
        all.push(...part.items);
        cursor = part.next;
      }
      return all;
    },
  });

/** What of a diff is wanted: changes since an earlier head alone, and whether those of white space count. */
export interface DiffWish {
  since?: string;
  space?: 'ignore';
}

/** What a proposal changes, from one commit to another: it never changes itself. */
export const proposalDiff = (path: ProposalPath, base: string, head: string, wish: DiffWish = {}, file?: string) =>
  queryOptions({
    queryKey: ['diff', ...proposalKey(path), base, head, wish, file],
    queryFn: ({ signal }) =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/proposals/{number}/diff', {
          params: { path: { ...path }, query: { ...wish, file } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: file ? undefined : keepPreviousData,
  });

export const proposalStacks = (path: ProposalPath) =>
  infiniteQueryOptions({
    queryKey: [...proposalKey(path), 'stacks'],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/proposals/{number}/stacks', {
          params: { path: { ...path }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: minute,
  });

export const proposalCommits = (path: ProposalPath, head: string) =>
  infiniteQueryOptions({
    queryKey: ['commits', ...proposalKey(path), head],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/proposals/{number}/commits', {
          params: { path: { ...path }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });

export interface RepositoryFilter {
  text?: string;
  space?: string;
  /** Opaque id of who made them; me for who asks. */
  creator?: string;
  archived?: 'true' | 'false';
  sort?: 'name' | 'pushed';
}

export const repositories = (filter: RepositoryFilter) =>
  infiniteQueryOptions({
    queryKey: ['repositories', filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/repositories', { params: { query: { ...filter, limit: 100, cursor: pageParam } }, signal }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const repository = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['repository', namespace, name],
    queryFn: () => body(api.GET('/api/v1/repositories/{namespace}/{name}', { params: { path: { namespace, name } } })),
    // How a fetch goes is not in the ledger, which tells of everything else.
    refetchInterval: ({ state }) => {
      const { outside: o, import: i } = state.data ?? {};
      if (i?.state === 'waiting' || i?.state === 'running') return 1000;
      if (!o) return false;
      return o.fetching || !(o.fetched || o.trouble) ? 1000 : 15_000;
    },
  });

/** What of a repository's declared files could not be taken in. */
export const troubles = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['repository', namespace, name, 'troubles'],
    queryFn: async ({ signal }) => {
      const query = { repository: `${namespace}/${name}`, limit: 200 };
      const all = await body(api.GET('/api/v1/locations', { params: { query }, signal }));
      const bad = all.items.filter((l) => l.error).slice(0, 5);
      return Promise.all(
        bad.map(({ id }) => body(api.GET('/api/v1/locations/{id}', { params: { path: { id } }, signal }))),
      );
    },
  });
