import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, body } from './client';

export interface SearchFilter {
  q?: string;
  in?: string;
  kind?: string;
  type?: string;
  owner?: string;
  lifecycle?: string;
  space?: string;
}

/** The facets of a search, in the order in which they are shown. */
export const searchFacets = ['kind', 'type', 'owner', 'lifecycle', 'space'] as const;

/** What has all words of a text, the best first. */
export const search = (filter: SearchFilter, limit: number, facets = '') =>
  infiniteQueryOptions({
    queryKey: ['search', filter, limit, facets],
    queryFn: ({ pageParam, signal }) =>
      // What is counted is that of the first page.
      body(
        api.GET('/api/v1/search', {
          params: { query: { ...filter, facets: pageParam ? '' : facets, limit, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
  });
