import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, body } from './client';

const one = '/api/v1/entities/{kind}/{namespace}/{name}/docs' as const;
const minute = 60_000;

/** An entity, as its address names it, and the branch, tag or commit that is looked at. */
export interface DocsOf {
  kind: string;
  namespace: string;
  name: string;
  rev?: string;
}

const parameters = ({ rev, ...path }: DocsOf) => ({ path, query: { ref: rev } });
const key = (of: DocsOf, ...rest: unknown[]) => ['docs', of.kind, of.namespace, of.name, of.rev, ...rest];

export const documented = (filter: { text?: string; broken?: boolean }) =>
  infiniteQueryOptions({
    queryKey: ['documented', filter],
    queryFn: ({ pageParam, signal }) =>
      body(api.GET('/api/v1/docs', { params: { query: { ...filter, limit: 100, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
  });

export const docs = (of: DocsOf) =>
  queryOptions({
    queryKey: key(of),
    queryFn: ({ signal }) => body(api.GET(one, { params: parameters(of), signal })),
    retry: false,
    staleTime: minute / 2,
  });

export const docsPage = (of: DocsOf, path: string) =>
  queryOptions({
    queryKey: key(of, 'page', path),
    queryFn: ({ signal }) => {
      const { path: entity, query } = parameters(of);
      return body(api.GET(`${one}/page`, { params: { path: entity, query: { ...query, path } }, signal }));
    },
    retry: false,
    staleTime: minute / 2,
    placeholderData: keepPreviousData,
  });

export const docsSearch = (of: DocsOf, text: string) =>
  queryOptions({
    queryKey: key(of, 'search', text),
    queryFn: ({ signal }) => {
      const { path, query } = parameters(of);
      return body(api.GET(`${one}/search`, { params: { path, query: { ...query, text, limit: 30 } }, signal }));
    },
    enabled: text.trim() !== '',
    placeholderData: keepPreviousData,
  });

/** What is wrong in the docs at a commit, which no push changes. */
export const docsCheck = (of: DocsOf, commit: string) =>
  queryOptions({
    queryKey: key(of, 'check', commit),
    queryFn: ({ signal }) => body(api.GET(`${one}/check`, { params: parameters(of), signal })),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

interface EntityPath {
  kind: string;
  namespace: string;
  name: string;
}

const api1 = '/api/v1/entities/{kind}/{namespace}/{name}/definition' as const;

/** What an API is: now, or at a version, branch, tag or commit. */
export const definition = (path: EntityPath, at?: string) =>
  queryOptions({
    queryKey: ['definition', path.kind, path.namespace, path.name, at],
    queryFn: ({ signal }) => body(api.GET(api1, { params: { path, query: { at } }, signal })),
    retry: false,
    placeholderData: keepPreviousData,
  });

export const definitionChanges = (path: EntityPath, from?: string, to?: string) =>
  queryOptions({
    queryKey: ['definition', path.kind, path.namespace, path.name, 'changes', from, to],
    queryFn: ({ signal }) => body(api.GET(`${api1}/changes`, { params: { path, query: { from, to } }, signal })),
    retry: false,
    placeholderData: keepPreviousData,
  });
