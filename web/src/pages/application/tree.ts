import type { ClusterObject } from '../../api/types';

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
