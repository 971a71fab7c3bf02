import { useMutation, useQueryClient } from '@tanstack/react-query';
import { parseRef } from '../words/ref';
import { api, body } from './client';
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

/** Stars an entity, or takes its star; what is shown follows at once. */
export function useStar() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ ref, on }: { ref: string; on: boolean }) => {
      const path = parseRef(ref);
      if (!path) return;
      if (on) await body(api.PUT('/api/v1/stars/{kind}/{namespace}/{name}', { params: { path } }));
      else await body(api.DELETE('/api/v1/stars/{kind}/{namespace}/{name}', { params: { path } }));
    },
    onMutate: ({ ref, on }) => {
      client.setQueryData(stars.queryKey, (had) =>
        had ? [...had.filter((s) => s.ref !== ref), ...(on ? [{ ref }] : [])] : had,
      );
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['stars'] });
      void client.invalidateQueries({ queryKey: ['entities'] });
    },
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
