import type { Edit } from '../../api/editing';
import type { Entity } from '../../api/types';
import { systemOf } from '../../words/ref';

export interface Fields {
  title: string;
  description: string;
  owner: string;
  lifecycle: string;
  system: string;
  tags: string[];
  links: { url: string; title?: string; icon?: string; type?: string }[];
}

/** The fields of an entity that a form has. */
export function fieldsOf(
  entity: Pick<Entity, 'title' | 'description' | 'owner' | 'lifecycle' | 'tags' | 'document'> &
    Partial<Pick<Entity, 'relations'>>,
): Fields {
  const { metadata, spec } = (entity.document ?? {}) as {
    metadata?: { links?: Fields['links'] };
    spec?: { system?: unknown };
  };
  return {
    title: entity.title ?? '',
    description: entity.description ?? '',
    owner: entity.owner ?? '',
    lifecycle: entity.lifecycle ?? '',
    system: spec?.system ? systemOf(entity.relations ?? []) : '',
    tags: entity.tags ?? [],
    links: metadata?.links ?? [],
  };
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** What differs, as the server takes it; links without an address are left away. */
export function changedFields(had: Fields, now: Fields): NonNullable<Edit['set']> {
  const set: Record<string, unknown> = {};
  const links = now.links
    .filter((l) => l.url.trim())
    .map((l) => Object.fromEntries(Object.entries(l).filter(([, value]) => value)));
  const next = { ...now, links };
  for (const name of Object.keys(had) as (keyof Fields)[]) {
    if (!same(had[name], next[name])) set[name] = next[name];
  }
  return set as NonNullable<Edit['set']>;
}
