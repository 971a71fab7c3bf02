// Sets that keep a stack for each folder of a repository. What changes a stack changes what its set shows, so their answers are
// kept among those of stacks.
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, body } from './client';

const minute = 60_000;

export const allStackSets = infiniteQueryOptions({
  queryKey: ['stacks', 'sets', 'all'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/stack-sets', { params: { query: { limit: 50, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
  refetchInterval: minute,
});

const keyOf = (namespace: string, name: string) => ['stacks', 'set', namespace, name];

/** One set; until its first look has ended it is asked for often. */
export const stackSet = (namespace: string, name: string) =>
  queryOptions({
    queryKey: keyOf(namespace, name),
    queryFn: ({ signal }) =>
      body(api.GET('/api/v1/stack-sets/{namespace}/{name}', { params: { path: { namespace, name } }, signal })),
    refetchInterval: (query) => (query.state.data && !query.state.data.looked ? 2_000 : minute),
  });

export interface FolderFilter {
  text?: string;
  standing?: string;
}

export const stackSetFolders = (namespace: string, name: string, filter: FolderFilter) =>
  infiniteQueryOptions({
    queryKey: [...keyOf(namespace, name), 'folders', filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET('/api/v1/stack-sets/{namespace}/{name}/folders', {
          params: { path: { namespace, name }, query: { ...filter, limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: minute,
  });

/** What the document of a set may say otherwise. */
export interface SetText {
  folders: string[];
  ignore: string[];
  naming: string;
  removed: 'keep' | 'delete';
}

/** Asks what a set would come to with another text. */
export function useTrySet(namespace: string, name: string) {
  return useMutation({
    mutationFn: (text: SetText) =>
      body(
        api.POST('/api/v1/stack-sets/{namespace}/{name}/try', { params: { path: { namespace, name } }, body: text }),
      ),
  });
}

/** Has a set look at its branch now. */
export function useLookAtSet(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/stack-sets/{namespace}/{name}/look', { params: { path: { namespace, name } } })),
    onSuccess: (seen) => {
      client.setQueryData(keyOf(namespace, name), seen);
      return client.invalidateQueries({ queryKey: ['stacks'] });
    },
  });
}
