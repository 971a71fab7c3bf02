import type { GraphNode, RunDetail, Step } from '../../api/types';

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

/** The nodes of a workflow's graph that do something themselves: those that only hold others are left out. */
export function leaves(nodes: GraphNode[]): GraphNode[] {
  const holders = new Set(nodes.map((n) => n.parent).filter(Boolean));
  const shown = nodes.filter((n) => !holders.has(n.key));
  const byKey = new Map(nodes.map((n) => [n.key, n]));
  // What came after a holder comes after what it holds.
  const within = (key: string): string[] =>
    holders.has(key) ? nodes.filter((n) => n.parent === key).flatMap((n) => within(n.key)) : [key];
  // What a holder came after, the first of what it holds came after too.
  const before = (node: GraphNode): string[] => {
    const own = (node.depends ?? []).flatMap(within);
    const holder = node.parent ? byKey.get(node.parent) : undefined;
    return own.length > 0 || !holder ? own : before(holder);
  };
  return shown.map((n) => ({ ...n, depends: before(n) }));
}

const settled = new Set(['finished', 'succeeded', 'discarded', 'undone']);

/** Whether a run may still change: it goes on, or somebody may let it go on from where it failed. */
export function mayChange(run: Pick<RunDetail, 'terminal' | 'state' | 'steps'>): boolean {
  return !run.terminal || !settled.has(run.state) || run.steps.some((s) => s.state === 'leased');
}
