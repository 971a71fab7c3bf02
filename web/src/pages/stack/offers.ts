import type { Stack } from '../../api/types';

export type Offer = 'drift' | 'reconcile' | 'task';

/** What else may be done with a stack: drift is of what was applied, and a task runs where there is a commit or an upload. */
export function offers({ can, repository, state }: Pick<Stack, 'can' | 'repository' | 'state'>): Offer[] {
  const all: Offer[] = [];
  if (can.includes('plan') && state) all.push('drift');
  if (can.includes('plan') && can.includes('apply') && state) all.push('reconcile');
  if (can.includes('task') && (repository || state)) all.push('task');
  return all;
}
