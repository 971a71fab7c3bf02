import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from './client';
import type { components } from './schema';
import type { Whole } from './types';

type Schemas = components['schemas'];
export type Pool = Whole<Schemas['Pool']>;
export type Agent = Whole<Schemas['Agent']>;
export type PoolToken = Whole<Schemas['PoolToken']>;

// That an agent was heard of has no entry in the ledger. So those that look are told by asking again.
const soon = 5_000;

export const pools = infiniteQueryOptions({
  queryKey: ['pools'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/pools', { params: { query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: soon,
});

export const pool = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['pool', namespace, name],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/pools/{namespace}/{name}', { params: { path: { namespace, name } }, signal })),
    refetchInterval: soon,
  });

export const agents = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['pool', namespace, name, 'agents'],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/pools/{namespace}/{name}/agents', {
          params: { path: { namespace, name }, query: { limit: 100, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: soon,
  });

export const poolTokens = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['pool', namespace, name, 'tokens'],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/pools/{namespace}/{name}/tokens', {
          params: { path: { namespace, name }, query: { limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

interface At {
  namespace: string;
  name: string;
}

function useRenewed({ namespace, name }: At) {
  const client = useQueryClient();
  return () =>
    Promise.all([['pools'], ['pool', namespace, name]].map((queryKey) => client.invalidateQueries({ queryKey })));
}

/** Drains a pool, or one of its agents, or has it take steps again. */
export function useDrain(at: At) {
  const onSuccess = useRenewed(at);
  return useMutation({
    mutationFn: async ({ agent, drain }: { agent?: string; drain: boolean }) => {
      const path = { namespace: at.namespace, name: at.name };
      if (agent && drain)
        await body(
          api.POST('/api/v1/pools/{namespace}/{name}/agents/{agent}/drain', { params: { path: { ...path, agent } } }),
        );
      else if (agent)
        await body(
          api.POST('/api/v1/pools/{namespace}/{name}/agents/{agent}/resume', { params: { path: { ...path, agent } } }),
        );
      else if (drain) await body(api.POST('/api/v1/pools/{namespace}/{name}/drain', { params: { path } }));
      else await body(api.POST('/api/v1/pools/{namespace}/{name}/resume', { params: { path } }));
    },
    onSuccess,
  });
}

/** Has a pool's agents, or one of them, end as soon as they run nothing. */
export function useCycle(at: At) {
  const onSuccess = useRenewed(at);
  return useMutation({
    mutationFn: async (agent?: string) => {
      const path = { namespace: at.namespace, name: at.name };
      if (agent)
        await body(
          api.POST('/api/v1/pools/{namespace}/{name}/agents/{agent}/cycle', { params: { path: { ...path, agent } } }),
        );
      else await body(api.POST('/api/v1/pools/{namespace}/{name}/cycle', { params: { path } }));
    },
    onSuccess,
  });
}

export function useNewPoolToken(at: At) {
  const onSuccess = useRenewed(at);
  return useMutation({
    mutationFn: (token: { name: string; expires?: string }) =>
      body(
        api.POST('/api/v1/pools/{namespace}/{name}/tokens', {
          params: { path: { namespace: at.namespace, name: at.name } },
          body: token,
        }),
      ),
    onSuccess,
  });
}

export function useRevokePoolToken(at: At) {
  const onSuccess = useRenewed(at);
  return useMutation({
    mutationFn: (id: string) =>
      body(
        api.DELETE('/api/v1/pools/{namespace}/{name}/tokens/{id}', {
          params: { path: { namespace: at.namespace, name: at.name, id } },
        }),
      ),
    onSuccess,
  });
}
