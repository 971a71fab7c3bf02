import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body, keepProof } from './client';
import { asProblem } from './problem';
import { forget, tellWindows } from './session';
import type { RunDetail } from './types';

export const verbs = [
  'confirm',
  'discard',
  'approve',
  'reject',
  'promote',
  'prioritize',
  'unprioritize',
  'cancel',
  'retry',
  'undo',
] as const;
export type Verb = (typeof verbs)[number];

/** A verdict is on the run as it was seen; to stop or repeat one it may have moved on. */
const verdicts: readonly Verb[] = ['confirm', 'discard', 'approve', 'reject'];

/** Does something with a run as it was seen. */
export function act(id: string, verb: Verb, note: string, seen: number) {
  const of = { path: { id } };
  if (verb === 'undo') return body(api.POST('/api/v1/runs/{id}/undo', { params: of }));
  if (verb === 'promote') return body(api.POST('/api/v1/runs/{id}/promote', { params: of }));
  if (verb === 'prioritize' || verb === 'unprioritize') {
    return body(api.POST('/api/v1/runs/{id}/prioritize', { params: of, body: { off: verb === 'unprioritize' } }));
  }
  const header = verdicts.includes(verb) ? { 'If-Match': `"${seen}"` } : {};
  const params = { path: { id }, header };
  return body(api.POST(`/api/v1/runs/{id}/${verb}`, { params, body: { note } }));
}

/** Does something with a run; its page shows the answer at once. */
export function useRunAction({ id, version }: { id: string; version: number }) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ verb, note = '' }: { verb: Verb; note?: string }) => act(id, verb, note, version),
    onSuccess: (run: RunDetail) => {
      client.setQueryData(['run', run.id], run); // which is another one when it was promoted
      for (const key of ['home', 'runs', 'stacks', 'stack']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
}

/** Has a run that waits for review plan anew, for what was chosen of the plan as it was seen. */
export function useReplan({ id, version }: { id: string; version: number }) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ask: { targets?: string[]; replace?: string[]; note?: string }) =>
      body(
        api.POST('/api/v1/runs/{id}/replan', {
          params: { path: { id }, header: { 'If-Match': `"${version}"` } },
          body: ask,
        }),
      ),
    onSuccess: (run) => {
      client.setQueryData(['run', id], run);
      for (const key of ['runs', 'stacks', 'stack']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
}

export interface StackOrder {
  type: 'tracked' | 'proposed' | 'destroy' | 'drift' | 'task';
  /** Of a destroy run: what depends on the stack goes first. */
  dependents?: boolean;
  /** Of drift: what is found is followed by a tracked run. */
  reconcile?: boolean;
  /** Of a task. */
  command?: string;
  /** Of a task: without the engine's init and its hooks. */
  skipInit?: boolean;
}

/** Begins a run of a stack. */
export const startRun = (namespace: string, name: string, order: StackOrder) =>
  body(api.POST('/api/v1/stacks/{namespace}/{name}/runs', { params: { path: { namespace, name } }, body: order }));

export function useStackRun(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (order: StackOrder) => startRun(namespace, name, order),
    onSuccess: () => client.invalidateQueries({ queryKey: ['stack', namespace, name] }),
  });
}

export function useUnlock(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/stacks/{namespace}/{name}/unlock', { params: { path: { namespace, name } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['stack', namespace, name] }),
  });
}

export function useSync(namespace: string, name: string) {
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/applications/{namespace}/{name}/sync', { params: { path: { namespace, name } } })),
  });
}

export function useRollback(namespace: string, name: string) {
  return useMutation({
    mutationFn: (revision: string) =>
      body(
        api.POST('/api/v1/applications/{namespace}/{name}/rollback', {
          params: { path: { namespace, name } },
          body: { revision },
        }),
      ),
  });
}

/** What was filled in; secrets are in both, as fields and by their names. */
export interface Form {
  values: Record<string, unknown>;
  secrets: Record<string, unknown>;
}

export function useTemplate(namespace: string, name: string) {
  return useMutation({
    mutationFn: ({ key, ...form }: Form & { key: string }) =>
      body(
        api.POST('/api/v1/templates/{namespace}/{name}/runs', {
          params: { path: { namespace, name }, header: { 'Idempotency-Key': key } },
          body: form,
        }),
      ),
  });
}

export function usePreview(namespace: string, name: string) {
  return useMutation({
    mutationFn: (form: Form) =>
      body(
        api.POST('/api/v1/templates/{namespace}/{name}/preview', {
          params: { path: { namespace, name } },
          body: form,
        }),
      ),
  });
}

export function useVerify() {
  return useMutation({ mutationFn: () => body(api.GET('/api/v1/ledger/verify')) });
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (code: string) => body(api.POST('/api/v1/session', { body: { code } })),
    onSuccess: (who) => {
      forget(client);
      keepProof(who);
      client.setQueryData(['me'], who);
      tellWindows();
    },
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      try {
        await body(api.DELETE('/api/v1/session'));
      } catch (error) {
        if (asProblem(error).status !== 401) throw error; // 401: the session was over already
      }
    },
    onSuccess: () => {
      keepProof(null);
      client.setQueryData(['me'], null);
      forget(client);
      tellWindows();
    },
  });
}

export interface Declaration {
  documents: string;
  space: string;
}

/** Declares documents; a dry run only tells what would change. */
export function useDeclare(dryRun: boolean) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (given: Declaration) => body(api.POST('/api/v1/apply', { body: { ...given, dryRun } })),
    onSuccess: () => (dryRun ? undefined : client.invalidateQueries()),
  });
}

/** Tries a forge now; its page shows what was found. */
export function useTryIntegration(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(api.POST('/api/v1/integrations/{namespace}/{name}/test', { params: { path: { namespace, name } } })),
    onSuccess: (found) => {
      client.setQueryData(['integration', namespace, name], found);
      void client.invalidateQueries({ queryKey: ['integrations'] });
    },
  });
}

export function useDisconnect(namespace: string, name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () =>
      body(
        api.DELETE('/api/v1/entities/{kind}/{namespace}/{name}', {
          params: { path: { kind: 'integration', namespace, name } },
        }),
      ),
    onSuccess: () => {
      client.removeQueries({ queryKey: ['integration', namespace, name] });
      return client.invalidateQueries({ queryKey: ['integrations'] });
    },
  });
}

export interface Connection {
  space: string;
  /** Secrets to be set first, by their names. */
  secrets: Record<string, string>;
  documents: string;
}

/** Sets secrets, and declares what names them. */
export function useConnect() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ space, secrets, documents }: Connection) => {
      await body(api.POST('/api/v1/apply', { body: { documents, space, dryRun: true } })); // what is refused sets nothing
      for (const [name, value] of Object.entries(secrets)) {
        await body(
          api.PUT('/api/v1/secrets/{space}/{name}', {
            params: { path: { space, name } },
            body: { value, platform: true },
          }),
        );
      }
      return body(api.POST('/api/v1/apply', { body: { documents, space } }));
    },
    onSettled: () => client.invalidateQueries(),
  });
}

export function useNewToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (given: { name: string; expires: string; scopes?: string[] }) =>
      body(api.POST('/api/v1/tokens', { body: given })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['tokens'] }),
  });
}

export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => body(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['tokens'] }),
  });
}

export function useSignInLink() {
  return useMutation({ mutationFn: (user: string) => body(api.POST('/api/v1/signin-links', { body: { user } })) });
}
