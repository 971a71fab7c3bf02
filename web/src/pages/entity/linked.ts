import type { Entity } from '../../api/types';
import { parseRef, type Ref } from '../../words/ref';

/** The entities of a kind that an entity is, or that it has a relation to, in either direction. */
export function linked(entity: Pick<Entity, 'ref' | 'relations'>, kind: string): Ref[] {
  const refs = new Set([entity.ref, ...entity.relations.map((r) => r.target)]);
  return [...refs].flatMap((r) => parseRef(r) ?? []).filter((r) => r.kind === kind);
}
