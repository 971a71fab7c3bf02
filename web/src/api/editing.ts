import { type QueryClient, useMutation, useQueryClient } from '@tanstack/react-query';
import { parseRef } from '../words/ref';
import { api, body } from './client';
import { each, type Track } from './each';
import { stars } from './queries';
import type { Edited, View } from './types';

/** What to change of entities, and how. */
export interface Edit {
  refs: string[];
  set?: {
    title?: string;
    description?: string;
    owner?: string;
    lifecycle?: string;
    system?: string;
    tags?: string[];
    addTags?: string[];
    removeTags?: string[];
    links?: { url: string; title?: string; icon?: string; type?: string }[];
    /** By the field of spec that names them. */
    relations?: Record<string, string[]>;
  };
  document?: string;
  message?: string;
  propose?: boolean;
}

const post = (edit: Edit, dryRun: boolean, etag?: string): Promise<Edited> =>
  body(
    api.POST('/api/v1/edits', {
      body: { ...edit, dryRun },
      params: { header: etag ? { 'If-Match': `"${etag}"` } : {} },
    }),
  );

/** Tells what an edit would do. */
export const usePreviewEdit = () => useMutation({ mutationFn: (edit: Edit) => post(edit, true) });

/** Changes entities where they are declared. */
export function useEdit() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ edit, etag }: { edit: Edit; etag?: string }) => post(edit, false, etag),
    onSuccess: () => {
      for (const key of ['entities', 'entity', 'proposals']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
}

async function turnStar(ref: string, on: boolean) {
  const path = parseRef(ref);
  if (!path) return;
  if (on) await body(api.PUT('/api/v1/stars/{kind}/{namespace}/{name}', { params: { path } }));
  else await body(api.DELETE('/api/v1/stars/{kind}/{namespace}/{name}', { params: { path } }));
}

/** How many stars are kept of a person. */
export const mostStars = 1000;

interface Turned {
  refs: string[];
  on: boolean;
}

/** What is shown of stars follows at once. */
function starring(client: QueryClient) {
  return {
    onMutate: ({ refs, on }: Turned) => {
      const turned = new Set(refs);
      client.setQueryData(stars.queryKey, (had) =>
        had ? [...had.filter((s) => !turned.has(s.ref)), ...(on ? refs.map((ref) => ({ ref })) : [])] : had,
      );
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['stars'] });
      void client.invalidateQueries({ queryKey: ['entities'] });
    },
  };
}

/** Stars an entity, or takes its star. */
export function useStar() {
  const { mutate } = useMutation({
    mutationFn: ({ refs: [ref = ''], on }: Turned) => turnStar(ref, on),
    ...starring(useQueryClient()),
  });
  return (ref: string, on: boolean) => mutate({ refs: [ref], on });
}

/** Stars many, or takes their stars, and gives those with which that failed. */
export function useStarMany(track: Track) {
  return useMutation({
    mutationFn: ({ refs, on }: Turned) => each(refs, (ref) => turnStar(ref, on), track()),
    ...starring(useQueryClient()),
  });
}

export function useSaveView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (view: { name: string; query: string; space?: string }) =>
      body(api.POST('/api/v1/views', { body: view })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['views'] }),
  });
}

/** Changes a view that is saved, unless somebody else has since it was read. */
export function useUpdateView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ view: { id, etag, name, space }, query }: { view: View; query: string }) =>
      body(
        api.PUT('/api/v1/views/{id}', {
          params: { path: { id }, header: { 'If-Match': `"${etag}"` } },
          body: { name, query, space },
        }),
      ),
    onSettled: () => client.invalidateQueries({ queryKey: ['views'] }),
  });
}

export function useDeleteView() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => body(api.DELETE('/api/v1/views/{id}', { params: { path: { id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['views'] }),
  });
}
