import type { Stack } from '../../api/types';
import type { GraphEdge, GraphNode } from '../../graph/layout';
import { shortRef } from '../../words/ref';

/** Stacks that are drawn on each side; the table holds all. */
const most = 20;

/** What goes before a stack and what after it, as a graph from left to right. */
export function drawnOf({ ref, name, lastRun, dependsOn, dependents }: Stack): {
  nodes: GraphNode[];
  edges: GraphEdge[];
} {
  const before = (dependsOn ?? []).slice(0, most);
  const after = (dependents ?? []).slice(0, most);
  const node = (stack: string, note: string): GraphNode => ({ id: stack, label: shortRef(stack), note, open: stack });
  const used = (outputs: { output: string }[]) => {
    const [first, ...others] = outputs.map((o) => o.output);
    return others.length > 0 ? `${first} +${others.length}` : first;
  };
  return {
    nodes: [
      ...before.map((n) => node(n.stack, 'goes before')),
      { id: ref, label: name, note: 'this stack', state: lastRun?.state },
      ...after.map((n) => node(n.stack, n.unused ? 'not yet after it' : 'goes after')),
    ],
    edges: [
      ...before.map((n) => ({ from: n.stack, to: ref, label: used(n.outputs) })),
      ...after.map((n) => ({ from: ref, to: n.stack, label: used(n.outputs) })),
    ],
  };
}
