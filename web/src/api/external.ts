import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from './client';

export type Mark = 'finished' | 'skipped' | 'failed';

/** Says what became of something outside, for all runs of a space that wait for it; the run that it was said on is read anew. */
export function useMark(run: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ask: { space: string; name: string; status: Mark; note?: string }) =>
      body(api.POST('/api/v1/external-dependencies', { body: ask })),
    onSuccess: () => {
      for (const key of [['run', run], ['runs'], ['stacks'], ['stack']]) {
        void client.invalidateQueries({ queryKey: key });
      }
    },
  });
}
