import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from './client';
import type { ProposalPath } from './queries';
import type { ProposalDetail } from './types';

const one = '/api/v1/repositories/{namespace}/{name}/proposals/{number}' as const;

export type Way = 'merge' | 'squash' | 'rebase';
export type Verdict = 'approved' | 'refused' | 'commented';

/** Something that is said, of the whole or of a line. */
export interface Said {
  body: string;
  path?: string;
  start?: number;
  line?: number;
  old?: boolean;
  replyTo?: string;
}

/** What a person may do with a proposal, each with what it is about. */
export type Deed =
  | { do: 'review'; verdict: Verdict; body: string; head: string; comments?: Said[] }
  | { do: 'merge'; way: Way; title: string; body: string; head: string; deleteSource: boolean }
  | { do: 'auto'; way?: Way }
  | { do: 'close' | 'reopen' | 'revert' }
  | { do: 'update'; way: 'merge' | 'rebase'; head: string }
  | { do: 'apply'; comments: string[]; message?: string; head: string }
  | { do: 'edit'; title?: string; body?: string; draft?: boolean; assignees?: string[] };

function act(path: ProposalPath, deed: Deed): Promise<ProposalDetail> {
  const params = { path: { ...path } };
  switch (deed.do) {
    case 'review': {
      const { verdict, body: text, head, comments } = deed;
      return body(api.POST(`${one}/reviews`, { params, body: { verdict, body: text, head, comments } }));
    }
    case 'merge': {
      const { way, title, body: text, head, deleteSource } = deed;
      return body(api.POST(`${one}/merge`, { params, body: { way, title, body: text, head, deleteSource } }));
    }
    case 'auto':
      return body(api.PUT(`${one}/auto`, { params, body: { way: deed.way } }));
    case 'edit': {
      const { title, body: text, draft, assignees } = deed;
      return body(api.PATCH(one, { params, body: { title, body: text, draft, assignees } }));
    }
    case 'update':
      return body(api.POST(`${one}/update`, { params, body: { way: deed.way, head: deed.head } }));
    case 'apply': {
      const { comments, message, head } = deed;
      return body(api.POST(`${one}/suggestions`, { params, body: { comments, message, head } }));
    }
    case 'revert':
      return body(api.POST(`${one}/revert`, { params }));
    case 'close':
      return body(api.POST(`${one}/close`, { params }));
    case 'reopen':
      return body(api.POST(`${one}/reopen`, { params }));
  }
}

const keyOf = (path: ProposalPath) => ['proposal', `${path.namespace}/${path.name}#${path.number}`];

/** Does something with a proposal; its page shows the answer at once. */
export function useProposal(path: ProposalPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (deed: Deed) => act(path, deed),
    onSuccess: (now, deed) => {
      if (deed.do !== 'revert') client.setQueryData(keyOf(path), now); // that gives another one
      void client.invalidateQueries({ queryKey: ['proposals'] });
      if (deed.do === 'review' || deed.do === 'apply' || deed.do === 'update')
        void client.invalidateQueries({ queryKey: [...keyOf(path), 'comments'] });
    },
  });
}

export function useComment(path: ProposalPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (said: Said) => body(api.POST(`${one}/comments`, { params: { path: { ...path } }, body: said })),
    onSuccess: () => client.invalidateQueries({ queryKey: keyOf(path) }),
  });
}

/** Replaces the words of one's own comment. */
export function useEditComment(path: ProposalPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, text }: { id: string; text: string }) =>
      body(api.PATCH(`${one}/comments/{id}`, { params: { path: { ...path, id } }, body: { body: text } })),
    onSuccess: () => client.invalidateQueries({ queryKey: [...keyOf(path), 'comments'] }),
  });
}

export function useSettle(path: ProposalPath) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, settled }: { id: string; settled: boolean }) =>
      body(api.PUT(`${one}/comments/{id}/settled`, { params: { path: { ...path, id } }, body: { settled } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keyOf(path) }),
  });
}

export interface NewProposal {
  title: string;
  body: string;
  source: string;
  target: string;
  draft: boolean;
}

export function usePropose(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (given: NewProposal) =>
      body(
        api.POST('/api/v1/repositories/{namespace}/{name}/proposals', {
          params: { path: { namespace, name } },
          body: { ...given, title: given.title || undefined, target: given.target || undefined },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['proposals'] }),
  });
}
