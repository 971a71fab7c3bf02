import type { Entity } from '../../api/types';

interface Linkable {
  ref: string;
  component?: string;
}

/** Those of a kind that an entity is, has by a relation, or that say they are of it. */
export function linked<T extends Linkable>(entity: Pick<Entity, 'ref' | 'relations'>, all: T[], kind: string): T[] {
  const targets = new Set(entity.relations.map((r) => r.target).filter((t) => t.startsWith(`${kind}:`)));
  return all.filter((one) => one.ref === entity.ref || one.component === entity.ref || targets.has(one.ref));
}
