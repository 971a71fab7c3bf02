import type { Step } from '../../api/types';

/** Steps in order, by the phase they belong to; those of no phase come under an empty name. */
export function byGroup(steps: Step[]): { group: string; steps: Step[] }[] {
  const groups: { group: string; steps: Step[] }[] = [];
  for (const step of steps.toSorted((a, b) => a.position - b.position)) {
    const group = step.group ?? '';
    const found = groups.find((g) => g.group === group);
    if (found) found.steps.push(step);
    else groups.push({ group, steps: [step] });
  }
  return groups;
}

/** The step whose log is shown: the wanted one, or the one that works, or that failed, or the last that began. */
export function shownStep(steps: Step[], wanted?: string): Step | undefined {
  const begun = steps.filter((s) => s.started).toSorted((a, b) => a.position - b.position);
  return (
    steps.find((s) => wanted && (s.key === wanted || s.id === wanted)) ??
    begun.find((s) => s.state === 'leased') ??
    begun.find((s) => s.state === 'failed') ??
    begun.at(-1) ??
    steps[0]
  );
}
