import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, body } from './client';

export const contexts = infiniteQueryOptions({
  queryKey: ['contexts'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/contexts', { params: { query: { limit: 100, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
});

export const context = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['context', namespace, name],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/contexts/{namespace}/{name}', { params: { path: { namespace, name } }, signal })),
  });

/** The stacks that have a context, and why. */
export const contextStacks = (namespace: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ['context', namespace, name, 'stacks'],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/contexts/{namespace}/{name}/stacks', {
          params: { path: { namespace, name }, query: { limit: 100, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });

/** What a run of a stack would be given now. */
export const stackEnvironment = (namespace: string, name: string) =>
  queryOptions({
    queryKey: ['stack', namespace, name, 'environment'],
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/stacks/{namespace}/{name}/environment', { params: { path: { namespace, name } }, signal })),
    retry: false,
  });
