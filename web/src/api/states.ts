import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, body } from './client';

export interface DiffFilter {
  from?: string;
  action?: 'create' | 'update' | 'delete';
  text?: string;
}

/** What differs between two versions of a state, each by its serial; the one before it when from is not given. */
export const stateDiff = (namespace: string, name: string, to: string, filter: DiffFilter) =>
  infiniteQueryOptions({
    queryKey: ['stack', namespace, name, 'diff', to, filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/stacks/{namespace}/{name}/states/{id}/diff', {
          params: { path: { namespace, name, id: to }, query: { ...filter, limit: 200, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export interface ResourceFilter {
  text?: string;
  stack?: string;
  type?: string;
  provider?: string;
  owner?: string;
  space?: string;
  orphan?: boolean;
  drifted?: boolean;
}

/** What is under management in the newest states of all stacks. */
export const resources = (filter: ResourceFilter) =>
  infiniteQueryOptions({
    queryKey: ['stacks', 'resources', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/resources', { params: { query: { ...filter, limit: 100, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

/** One resource of a version of a state, with what the reader may see of its attributes. */
export const stateResource = (namespace: string, name: string, id: string, address: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name, 'state', id, 'resource', address],
    queryFn: () =>
      body(
        api.GET('/api/v1/stacks/{namespace}/{name}/states/{id}/resource', {
          params: { path: { namespace, name, id }, query: { address } },
        }),
      ),
  });

/** Makes the content of an earlier version the newest version. */
export function useStateRollback(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) =>
      body(
        api.POST('/api/v1/stacks/{namespace}/{name}/states/{id}/rollback', {
          params: { path: { namespace, name, id } },
          body: { reason },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['stack', namespace, name] }),
  });
}

export function useLock(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (reason: string) =>
      body(
        api.POST('/api/v1/stacks/{namespace}/{name}/lock', { params: { path: { namespace, name } }, body: { reason } }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['stack', namespace, name] }),
  });
}
