import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { address } from './address';
import { api, body } from './client';

const one = '/api/v1/repositories/{namespace}/{name}' as const;
const never = Number.POSITIVE_INFINITY;

/** A repository, as its address names it. */
export interface RepositoryPath {
  namespace: string;
  name: string;
}

const key = (at: RepositoryPath, ...rest: unknown[]) => ['repository', at.namespace, at.name, ...rest];
/** Of what is bound to a commit: no push changes it, so that none has it asked for anew. */
const fixed = (at: RepositoryPath, ...rest: unknown[]) => ['code', at.namespace, at.name, ...rest];
const next = (last: { next?: string }) => last.next || undefined;
const first = undefined as string | undefined;

/** The commit that a branch, a tag or the beginning of a hash means. */
export const commitOf = (at: RepositoryPath, ref: string) =>
  queryOptions({
    queryKey: key(at, 'commit', ref),
    queryFn: ({ signal }) => body(api.GET(`${one}/commit`, { params: { path: { ...at }, query: { ref } }, signal })),
    retry: false,
  });

export const commitDiff = (at: RepositoryPath, hash: string) =>
  queryOptions({
    queryKey: fixed(at, 'diff', hash),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/commit/diff`, { params: { path: { ...at }, query: { ref: hash } }, signal })),
    staleTime: never,
  });

export const commitProposals = (at: RepositoryPath, hash: string) =>
  queryOptions({
    queryKey: key(at, 'commit', hash, 'proposals'),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/commit/proposals`, { params: { path: { ...at }, query: { ref: hash } }, signal })),
  });

export const commitChecks = (at: RepositoryPath, commit: string) =>
  queryOptions({
    queryKey: key(at, 'checks', commit),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/checks/{commit}`, { params: { path: { ...at, commit }, query: { limit: 200 } }, signal })),
  });

export interface CommitFilter {
  ref: string;
  path?: string;
  author?: string;
  text?: string;
  base?: string;
  follow?: boolean;
}

export const history = (at: RepositoryPath, filter: CommitFilter, limit = 50) =>
  infiniteQueryOptions({
    queryKey: key(at, 'commits', filter),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/commits`, {
          params: { path: { ...at }, query: { ...filter, limit, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
    placeholderData: keepPreviousData,
  });

/** Which commits changed the entries of a folder last. */
export const lastCommits = (at: RepositoryPath, commit: string, path: string) =>
  queryOptions({
    queryKey: fixed(at, 'last', commit, path),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/tree/commits`, { params: { path: { ...at }, query: { ref: commit, path } }, signal })),
    staleTime: never,
  });

/** Files whose paths match what is typed. */
export const paths = (at: RepositoryPath, commit: string, text: string) =>
  queryOptions({
    queryKey: fixed(at, 'paths', commit, text),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/paths`, { params: { path: { ...at }, query: { ref: commit, text, limit: 50 } }, signal })),
    staleTime: never,
    placeholderData: keepPreviousData,
  });

/** Lines whose commits are asked for at once. */
export const blameLines = 1_000;

/** Which commit wrote each line of a file of so many lines, from its beginning on. */
export const blame = (at: RepositoryPath, commit: string, path: string, lines: number) =>
  infiniteQueryOptions({
    queryKey: fixed(at, 'blame', commit, path),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/blame`, {
          params: {
            path: { ...at },
            query: { ref: commit, path, from: pageParam, to: Math.min(lines, pageParam + blameLines - 1) },
          },
          signal,
        }),
      ),
    initialPageParam: 1,
    getNextPageParam: (_, __, from) => (from + blameLines <= lines ? from + blameLines : undefined),
    staleTime: never,
  });

export interface FileSearch {
  ref: string;
  text: string;
  regex?: boolean;
  case?: boolean;
  path?: string;
}

export const searchFiles = (at: RepositoryPath, asked: FileSearch) =>
  infiniteQueryOptions({
    queryKey: key(at, 'search', asked),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/search`, {
          params: { path: { ...at }, query: { ...asked, limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
    enabled: asked.text !== '',
    retry: false,
  });

export const branchList = (at: RepositoryPath, text: string, details: boolean, limit = 50) =>
  infiniteQueryOptions({
    queryKey: key(at, 'branches', text, details, limit),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/branches`, {
          params: { path: { ...at }, query: { text, details, limit, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
    placeholderData: keepPreviousData,
  });

export const tagList = (at: RepositoryPath, text: string, details: boolean, limit = 50) =>
  infiniteQueryOptions({
    queryKey: key(at, 'tags', text, details, limit),
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET(`${one}/tags`, {
          params: { path: { ...at }, query: { text, details, limit, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: first,
    getNextPageParam: next,
    placeholderData: keepPreviousData,
  });

export const comparison = (at: RepositoryPath, base: string, head: string) =>
  queryOptions({
    queryKey: key(at, 'compare', base, head),
    queryFn: ({ signal }) =>
      body(api.GET(`${one}/compare`, { params: { path: { ...at }, query: { base, head } }, signal })),
    enabled: base !== '' && head !== '' && base !== head,
    retry: false,
  });

/** Where a browser finds a file as it is. */
export const rawAddress = (at: RepositoryPath, ref: string, path: string, download = false) =>
  address(`${one}/raw`, { path: { ...at }, query: { ref, path, download: download ? 'true' : undefined } });

export const archiveAddress = (at: RepositoryPath, ref: string, format: 'zip' | 'tar.gz') =>
  address(`${one}/archive`, { path: { ...at }, query: { ref, format } });

function useAnew(at: RepositoryPath) {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: key(at) });
}

export type RefKind = 'branches' | 'tags';

export interface NewRef {
  kind: RefKind;
  name: string;
  at: string;
  message?: string;
}

export function useCreateRef(at: RepositoryPath) {
  return useMutation({
    mutationFn: async ({ kind, ...ref }: NewRef) => {
      const given = { params: { path: { ...at } }, body: ref };
      if (kind === 'tags') await body(api.POST(`${one}/tags`, given));
      else await body(api.POST(`${one}/branches`, given));
    },
    onSuccess: useAnew(at),
  });
}

export function useDeleteRef(at: RepositoryPath, kind: RefKind) {
  return useMutation({
    mutationFn: (name: string) => {
      const given = { params: { path: { ...at }, query: { name } } };
      return kind === 'tags' ? body(api.DELETE(`${one}/tags`, given)) : body(api.DELETE(`${one}/branches`, given));
    },
    onSuccess: useAnew(at),
  });
}

/** What becomes of one file; base is the hash of what was seen, '' for one that is new. */
export interface FileChange {
  path: string;
  text?: string;
  /** In place of the text, in Base64. */
  bytes?: string;
  delete?: boolean;
  base?: string;
}

export interface NewCommit {
  branch: string;
  from?: string;
  message: string;
  changes: FileChange[];
}

/** Commits files, and opens a proposal of it when that is asked for; gives the number of the proposal. */
export function useCommit(at: RepositoryPath) {
  const anew = useAnew(at);
  return useMutation({
    mutationFn: async ({ propose, ...commit }: NewCommit & { propose: boolean }) => {
      const made = await body(api.POST(`${one}/commits`, { params: { path: { ...at } }, body: commit }));
      if (!propose) return { ...made, proposal: undefined };
      const opened = await body(
        api.POST(`${one}/proposals`, {
          params: { path: { ...at } },
          body: { source: made.branch },
        }),
      ).catch(() => undefined); // the branch is there; its page offers to propose it
      return { ...made, proposal: opened?.number };
    },
    onSuccess: anew,
  });
}

/** What of a branch's rules holds for who asks; undefined when there is no such branch. */
export async function branchRules(at: RepositoryPath, branch: string) {
  const found = await body(
    api.GET(`${one}/branches`, { params: { path: { ...at }, query: { text: branch, details: true, limit: 200 } } }),
  );
  return found.items.find((b) => b.name === branch) ?? null;
}

/** A folder at a commit, which never changes. */
export const tree = (namespace: string, name: string, commit: string, path: string) =>
  queryOptions({
    queryKey: ['code', namespace, name, 'tree', commit, path],
    queryFn: () =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/tree', {
          params: { path: { namespace, name }, query: { ref: commit, path } },
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });

/** A file at a commit, which never changes. */
export const file = (namespace: string, name: string, commit: string, path: string) =>
  queryOptions({
    queryKey: ['code', namespace, name, 'file', commit, path],
    queryFn: () =>
      body(
        api.GET('/api/v1/repositories/{namespace}/{name}/file', {
          params: { path: { namespace, name }, query: { ref: commit, path } },
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The lines of a file at a commit, for what a diff leaves out. */
export const linesOf = (namespace: string, name: string, ref: string, file: string) =>
  queryOptions({
    queryKey: ['lines', namespace, name, ref, file],
    queryFn: async ({ signal }) => {
      const found = await body(
        api.GET('/api/v1/repositories/{namespace}/{name}/file', {
          params: { path: { namespace, name }, query: { ref, path: file } },
          signal,
        }),
      );
      return (found.text ?? '').replace(/\n$/, '').split('\n');
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
