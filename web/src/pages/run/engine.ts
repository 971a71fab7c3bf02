import type { Step } from '../../api/types';

/** The engine that planned and applied, as its steps told it; undefined for runs of other kinds. */
export function engineOf(steps: Step[]): string | undefined {
  const said = steps.filter((s) => s.group === 'plan' || s.group === 'apply' || s.group === 'task');
  return said.find((s) => s.outputs?.engine)?.outputs?.engine;
}
