import type { ClusterObject } from '../../api/types';
import type { GraphEdge, GraphNode } from '../../graph/layout';

export interface Leveled {
  object: ClusterObject;
  level: number;
}

/** Objects with those they own below them, each with its depth; a parent that isn't there makes a root. */
export function leveled(objects: ClusterObject[]): Leveled[] {
  const keys = new Set(objects.map((o) => o.key));
  const below = new Map<string, ClusterObject[]>();
  for (const o of objects) {
    const parent = o.parent && o.parent !== o.key && keys.has(o.parent) ? o.parent : '';
    below.set(parent, [...(below.get(parent) ?? []), o]);
  }
  const out: Leveled[] = [];
  const seen = new Set<string>();
  const walk = (parent: string, level: number) => {
    for (const object of below.get(parent) ?? []) {
      if (seen.has(object.key)) continue;
      seen.add(object.key);
      out.push({ object, level });
      walk(object.key, level + 1);
    }
  };
  walk('', 0);
  for (const object of objects) if (!seen.has(object.key)) out.push({ object, level: 0 });
  return out;
}

/** The objects as a graph below their application. Replica sets of earlier revisions, which run nothing, are left to the list. */
export function drawn(app: { ref: string; name: string; health: string }, objects: ClusterObject[]) {
  const kept = objects.filter((o) => !(o.kind === 'ReplicaSet' && o.ready === '0/0'));
  const keys = new Set(kept.map((o) => o.key));
  const nodes: GraphNode[] = [
    { id: app.ref, label: app.name, note: 'Application', state: app.health },
    ...kept.map((o) => ({
      id: o.key,
      label: o.name,
      note: o.kind,
      state: o.health,
      open: o.kind === 'Pod' ? o.name : undefined,
    })),
  ];
  const edges: GraphEdge[] = kept.map((o) => ({
    from: o.parent && keys.has(o.parent) ? o.parent : app.ref,
    to: o.key,
  }));
  return { nodes, edges };
}
