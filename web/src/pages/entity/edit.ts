import type { Edit } from '../../api/editing';
import type { Entity } from '../../api/types';
import { systemOf } from '../../words/ref';
import { namedBy, relationFields } from './relations';

export interface Fields {
  title: string;
  description: string;
  owner: string;
  lifecycle: string;
  system: string;
  tags: string[];
  links: { url: string; title?: string; icon?: string; type?: string }[];
  /** What the fields of spec name, as it is written there; without those that a form can't show. */
  relations: Record<string, string[]>;
}

/** The fields of an entity that a form has. */
export function fieldsOf(
  entity: Pick<Entity, 'title' | 'description' | 'owner' | 'lifecycle' | 'tags' | 'document'> &
    Partial<Pick<Entity, 'kind' | 'type' | 'relations'>>,
): Fields {
  const { metadata, spec } = (entity.document ?? {}) as {
    metadata?: { links?: Fields['links'] };
    spec?: Record<string, unknown>;
  };
  const relations: Fields['relations'] = {};
  for (const field of relationFields(entity.kind ?? '', entity.type)) {
    const names = namedBy(spec?.[field.name], field);
    if (names) relations[field.name] = names;
  }
  return {
    title: entity.title ?? '',
    description: entity.description ?? '',
    owner: entity.owner ?? '',
    lifecycle: entity.lifecycle ?? '',
    system: spec?.system ? systemOf(entity.relations ?? []) : '',
    tags: entity.tags ?? [],
    links: metadata?.links ?? [],
    relations,
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
    if (name !== 'relations' && !same(had[name], next[name])) set[name] = next[name];
  }
  const relations = Object.entries(now.relations).filter(([name, names]) => !same(had.relations[name], names));
  if (relations.length > 0) set.relations = Object.fromEntries(relations);
  return set as NonNullable<Edit['set']>;
}

const flags = ['title', 'description', 'owner', 'lifecycle', 'system', 'tags'] as const;

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The command that sets the same. */
export function editCommand(ref: string, changes: NonNullable<Edit['set']>): string {
  const words = [`roadbed edit ${ref}`];
  for (const name of flags) {
    const value = changes[name];
    if (value !== undefined) words.push(`--${name} ${quoted(String(value))}`);
  }
  for (const [name, refs] of Object.entries(changes.relations ?? {}))
    words.push(`--relation ${quoted(`${name}=${refs.join(',')}`)}`);
  return words.join(' ');
}
