// Where the catalog comes from: locations, pushed sources, discoveries, and directories.
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, body } from './client';
import type { components } from './schema';
import type { Whole } from './types';

type Schemas = components['schemas'];
export type Location = Whole<Schemas['Location']>;
export type PushedSource = Whole<Schemas['Source']>;
export type Discovery = Whole<Schemas['Discovery']>;
export type Directory = Whole<Schemas['Directory']>;
export type FoundRepository = Schemas['FoundRepository'];

const minute = 60_000;

export const locations = (filter: { text?: string; failed?: boolean }) =>
  infiniteQueryOptions({
    queryKey: ['locations', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/locations', { params: { query: { ...filter, limit: 50, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const location = (id: string) =>
  queryOptions({
    queryKey: ['location', id],
    queryFn: () => body(api.GET('/api/v1/locations/{id}', { params: { path: { id } } })),
  });

export const kinds = queryOptions({
  queryKey: ['kinds'],
  queryFn: async () => (await body(api.GET('/api/v1/kinds', { params: { query: { limit: 200 } } }))).items,
  staleTime: minute,
});

export const pushedSources = infiniteQueryOptions({
  queryKey: ['pushed-sources'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/sources', { params: { query: { limit: 50, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
});

export const pushedSource = (name: string) =>
  queryOptions({
    queryKey: ['pushed-source', name],
    queryFn: () => body(api.GET('/api/v1/sources/{name}', { params: { path: { name } } })),
  });

export const discoveries = infiniteQueryOptions({
  queryKey: ['discoveries'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/discoveries', { params: { query: { limit: 50, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

/** One organization; while it is being looked at it is asked for often. */
export const discovery = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['discovery', namespace, name],
    queryFn: () => body(api.GET('/api/v1/discoveries/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: (query) => (query.state.data?.busy || query.state.data?.state === 'unknown' ? 2_000 : minute),
  });

export type FoundState = FoundRepository['state'];

/** What was found, by the look at a time. */
export const foundRepositories = (namespace: string, name: string, state?: FoundState, at?: string) =>
  infiniteQueryOptions({
    queryKey: ['discovery', namespace, name, 'repositories', state ?? '', at ?? ''],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/discoveries/{namespace}/{name}/repositories', {
          params: { path: { namespace, name }, query: { state, limit: 100, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export function useLook(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/discoveries/{namespace}/{name}/look', { params: { path: { namespace, name } } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['discovery', namespace, name] });
      void client.invalidateQueries({ queryKey: ['discoveries'] });
    },
  });
}

export const directories = infiniteQueryOptions({
  queryKey: ['directories'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/directories', { params: { query: { limit: 50, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

export const directory = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['directory', namespace, name],
    queryFn: () => body(api.GET('/api/v1/directories/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: minute,
  });

export function useLookAtDirectory(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/directories/{namespace}/{name}/look', { params: { path: { namespace, name } } })),
    onSuccess: (seen) => {
      client.setQueryData(['directory', namespace, name], seen);
      void client.invalidateQueries({ queryKey: ['directories'] });
    },
  });
}

/** Tells what an address would bring; nothing is written. */
export const useLookAtAddress = () =>
  useMutation({
    mutationFn: (target: string) => body(api.POST('/api/v1/locations', { body: { target, dryRun: true } })),
  });

/** A document for a repository that declares nothing yet. */
export const suggestion = (target: string) =>
  queryOptions({
    queryKey: ['suggestion', target],
    queryFn: () => body(api.GET('/api/v1/locations/suggestion', { params: { query: { target } } })),
    retry: false,
    staleTime: 0,
  });

export function useAddLocation() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (target: string) => body(api.POST('/api/v1/locations', { body: { target } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['locations'] });
      void client.invalidateQueries({ queryKey: ['entities'] });
    },
  });
}

/** Trusts a location for kinds, or says what it may bring, unless somebody else has written since it was read. */
export function useRuleLocation({ id, etag = '' }: Location) {
  const client = useQueryClient();
  const params = { path: { id }, header: { 'If-Match': `"${etag}"` } };
  return useMutation({
    mutationFn: (to: { trusted: string[] } | { rules: Schemas['LocationRules'] }) =>
      'trusted' in to
        ? body(api.PUT('/api/v1/locations/{id}/trust', { params, body: { kinds: to.trusted } }))
        : body(api.PUT('/api/v1/locations/{id}/rules', { params, body: to.rules })),
    onSettled: () => client.invalidateQueries({ queryKey: ['location', id] }),
  });
}

export function useRefreshLocation(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => body(api.POST('/api/v1/locations/{id}/refresh', { params: { path: { id } } })),
    onSuccess: (read) => {
      client.setQueryData(['location', id], read);
      void client.invalidateQueries({ queryKey: ['locations'] });
    },
  });
}
