import { infiniteQueryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from './client';
import type { RepositoryPath } from './code';

const one = '/api/v1/repositories/{namespace}/{name}' as const;

export interface Settings {
  description?: string;
  defaultBranch?: string;
  protected?: boolean;
  secretCheck?: boolean;
  archived?: boolean;
  name?: string;
  space?: string;
}

/** Changes settings, space and name of a repository, all or nothing. */
export function useSettings({ namespace, name }: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: Settings) => body(api.PATCH(one, { params: { path: { namespace, name } }, body: change })),
    onSuccess: (now) => {
      void client.invalidateQueries({ queryKey: ['repositories'] });
      return client.invalidateQueries({ queryKey: ['repository', now.namespace, now.name] });
    },
  });
}

export function useDeleteRepository({ namespace, name }: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => body(api.DELETE(one, { params: { path: { namespace, name }, query: {} } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repositories'] }),
  });
}

export const deletedRepositories = infiniteQueryOptions({
  queryKey: ['repositories', 'deleted'],
  queryFn: ({ pageParam, signal }) =>
    body(api.GET('/api/v1/repositories', { params: { query: { deleted: true, cursor: pageParam } }, signal })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next || undefined,
});

export function useRestore() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (at: RepositoryPath) => body(api.POST(`${one}/restore`, { params: { path: { ...at } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repositories'] }),
  });
}

/** How the server signs in to a repository elsewhere; empty where it needs not. */
export interface Credentials {
  username?: string;
  password?: string;
  secret?: string;
}

export interface NewImport {
  namespace?: string;
  name: string;
  space?: string;
  import: Credentials & { url: string; every?: string };
}

export function useImport() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (made: NewImport) => body(api.POST('/api/v1/repositories', { body: made })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repositories'] }),
  });
}

/** Tries an import again, with other credentials when some are given, has a follower look now, or ends either. */
export function useImportDeed({ namespace, name }: RepositoryPath) {
  const client = useQueryClient();
  const params = { path: { namespace, name } };
  return useMutation({
    mutationFn: ({ deed, credentials = {} }: { deed: 'retry' | 'cancel'; credentials?: Credentials }) =>
      deed === 'retry'
        ? body(api.POST(`${one}/import/retry`, { params, body: credentials }))
        : body(api.POST(`${one}/import/cancel`, { params })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repository', namespace, name] }),
  });
}

const mirrorsKey = ({ namespace, name }: RepositoryPath) => ['repository', namespace, name, 'mirrors'];

export const mirrors = (at: RepositoryPath) =>
  infiniteQueryOptions({
    queryKey: mirrorsKey(at),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/mirrors`, {
          params: { path: { namespace: at.namespace, name: at.name }, query: { cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: 3_000, // how a push there goes is not in the ledger
  });

export interface NewMirror extends Credentials {
  /** An address, or OWNER/NAME at the forge of an integration. */
  url: string;
  integration?: string;
  patterns?: string[];
  every?: string;
  force?: boolean;
}

export function useAddMirror({ namespace, name }: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (made: NewMirror) =>
      body(api.POST(`${one}/mirrors`, { params: { path: { namespace, name } }, body: made })),
    onSuccess: () => client.invalidateQueries({ queryKey: mirrorsKey({ namespace, name }) }),
  });
}

export function useMirrorDeed({ namespace, name }: RepositoryPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, deed }: { id: string; deed: 'push' | 'remove' }) => {
      const params = { path: { namespace, name, id } };
      return deed === 'push'
        ? body(api.POST(`${one}/mirrors/{id}/push`, { params }))
        : body(api.DELETE(`${one}/mirrors/{id}`, { params }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: mirrorsKey({ namespace, name }) }),
  });
}
