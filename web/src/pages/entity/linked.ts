import type { Entity, Relation } from '../../api/types';
import { parseRef, type Ref } from '../../words/ref';

/** The entities of a kind that an entity is, or that it has a relation to, in either direction. */
export function linked(entity: Pick<Entity, 'ref' | 'relations'>, kind: string): Ref[] {
  const refs = new Set([entity.ref, ...entity.relations.map((r) => r.target)]);
  return [...refs].flatMap((r) => parseRef(r) ?? []).filter((r) => r.kind === kind);
}

/** What the section of a user or of a group tells by itself. */
const ofPeople: Record<string, string[]> = {
  User: ['memberOf', 'ownerOf'],
  Group: ['childOf', 'parentOf', 'hasMember', 'ownerOf'],
};

/** The targets of the relations of a type. */
export const targets = (relations: Relation[], type: string): string[] =>
  relations.filter((r) => r.type === type).map((r) => r.target);

/** What an entity names that is not there, or that the reader may not see: nothing tells one from the other. */
export const missingOf = (entity: Pick<Entity, 'relations'>): Set<string> =>
  new Set(entity.relations.filter((r) => r.missing).map((r) => r.target));

/** Relations by their type, without those that are shown as facts. */
export function related(entity: Pick<Entity, 'kind' | 'relations'>): [string, string[]][] {
  const elsewhere = new Set(['ownedBy', ...(ofPeople[entity.kind] ?? [])]);
  const types = new Set(entity.relations.map((r) => r.type).filter((type) => !elsewhere.has(type)));
  return [...types].map((type) => [type, targets(entity.relations, type)]);
}
