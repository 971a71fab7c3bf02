// What modules and providers there are, and how their versions stand.
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from './client';

const minute = 60_000;

export const modules = (q = '') =>
  infiniteQueryOptions({
    queryKey: ['modules', q],
    queryFn: ({ pageParam }) =>
      body(api.GET('/api/v1/modules', { params: { query: { q: q || undefined, limit: 50, cursor: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: minute,
  });

export const module = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['module', namespace, name],
    queryFn: () => body(api.GET('/api/v1/modules/{namespace}/{name}', { params: { path: { namespace, name } } })),
    refetchInterval: minute,
  });

export const moduleVersions = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['module', namespace, name, 'versions'],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/modules/{namespace}/{name}/versions', {
          params: { path: { namespace, name }, query: { limit: 20, cursor: pageParam } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: minute,
  });

export const moduleVersion = (namespace: string, name: string, version: string) =>
  queryOptions({
    queryKey: ['module', namespace, name, 'version', version],
    queryFn: () =>
      body(
        api.GET('/api/v1/modules/{namespace}/{name}/versions/{version}', {
          params: { path: { namespace, name, version } },
        }),
      ),
    enabled: version !== '',
    refetchInterval: minute / 4, // tests go on without an entry for each
  });

export type VersionVerb = 'yank' | 'restore' | 'test';

/** Does something with a version of a module. */
export function useModuleVersion(namespace: string, name: string, version: string) {
  const client = useQueryClient();
  const params = { path: { namespace, name, version } };
  return useMutation({
    mutationFn: ({ verb, reason = '' }: { verb: VersionVerb; reason?: string }) =>
      body(
        verb === 'yank'
          ? api.POST('/api/v1/modules/{namespace}/{name}/versions/{version}/yank', { params, body: { reason } })
          : verb === 'restore'
            ? api.POST('/api/v1/modules/{namespace}/{name}/versions/{version}/restore', { params })
            : api.POST('/api/v1/modules/{namespace}/{name}/versions/{version}/test', { params }),
      ),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: ['module', namespace, name] }),
        client.invalidateQueries({ queryKey: ['modules'] }),
      ]),
  });
}

export const providers = infiniteQueryOptions({
  queryKey: ['providers'],
  queryFn: ({ pageParam }) =>
    body(api.GET('/api/v1/providers', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

export const provider = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['provider', namespace, name],
    queryFn: () => body(api.GET('/api/v1/providers/{namespace}/{name}', { params: { path: { namespace, name } } })),
  });

export const providerVersions = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['provider', namespace, name, 'versions'],
    queryFn: ({ pageParam }) =>
      body(
        api.GET('/api/v1/providers/{namespace}/{name}/versions', {
          params: { path: { namespace, name }, query: { limit: 20, cursor: pageParam } },
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: minute,
  });

/** Takes a version of a provider back, or gives it again. */
export function useProviderVersion(namespace: string, name: string, version: string) {
  const client = useQueryClient();
  const params = { path: { namespace, name, version } };
  return useMutation({
    mutationFn: ({ verb, reason = '' }: { verb: 'yank' | 'restore'; reason?: string }) =>
      body(
        verb === 'yank'
          ? api.POST('/api/v1/providers/{namespace}/{name}/versions/{version}/yank', { params, body: { reason } })
          : api.POST('/api/v1/providers/{namespace}/{name}/versions/{version}/restore', { params }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['provider', namespace, name] }),
  });
}

export const mirrored = infiniteQueryOptions({
  queryKey: ['mirrored'],
  queryFn: ({ pageParam }) =>
    body(api.GET('/api/v1/mirror/providers', { params: { query: { limit: 50, cursor: pageParam } } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

/** Takes a package of a provider out of the mirror. */
export function useRemoveMirrored() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ provider: of, version, platform }: { provider: string; version: string; platform: string }) => {
      const [host = '', namespace = '', type = ''] = of.split('/');
      return body(
        api.DELETE('/api/v1/mirror/providers/{host}/{namespace}/{type}/{version}/{platform}', {
          params: { path: { host, namespace, type, version, platform } },
        }),
      );
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ['mirrored'] }),
  });
}
