import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, body } from './client';
import type { RepositoryPath } from './code';

/** The forges that the caller may see. */
export const forges = queryOptions({
  queryKey: ['integrations', 'all'],
  queryFn: ({ signal }) => body(api.GET('/api/v1/integrations', { params: { query: { limit: 200 } }, signal })),
});

/** The two halves of NAMESPACE/NAME. */
export function halves(full: string): RepositoryPath {
  const [namespace = '', name = ''] = full.split('/');
  return { namespace, name };
}

/** The repositories that an integration can connect. */
export const offers = (integration: string, owner: string) =>
  infiniteQueryOptions({
    queryKey: ['offers', integration, owner],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/integrations/{namespace}/{name}/repositories', {
          params: { path: halves(integration), query: { owner: owner || undefined, limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
    retry: false,
  });

export interface NewConnection {
  integration: string;
  remote: string;
  namespace?: string;
  name?: string;
  space?: string;
}

export function useConnect() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ integration, ...rest }: NewConnection) =>
      body(
        api.POST('/api/v1/integrations/{namespace}/{name}/repositories', {
          params: { path: halves(integration) },
          body: rest,
        }),
      ),
    onSuccess: () =>
      Promise.all(['offers', 'repositories'].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Has the forge asked now. */
export function useFetch(at: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(
        api.POST('/api/v1/repositories/{namespace}/{name}/fetch', {
          params: { path: { namespace: at.namespace, name: at.name } },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repository', at.namespace, at.name] }),
  });
}

export function useDisconnect(at: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(
        api.DELETE('/api/v1/repositories/{namespace}/{name}', {
          params: { path: { namespace: at.namespace, name: at.name } },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repositories'] }),
  });
}
