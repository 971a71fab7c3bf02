import type { Entity } from '../../api/types';
import { systemOf } from '../../words/ref';
import { toYAML } from '../../words/yaml';
import { relationFields } from './relations';
import { isMap, specOf } from './written';

/** A field of spec as people read it: a value, several beside each other, or what is deeper, folded. */
export type SpecField = { name: string } & (
  | { as: 'text'; text: string }
  | { as: 'list'; items: string[] }
  | { as: 'block'; text: string; size: string }
);

type Shown = Pick<Entity, 'kind' | 'type' | 'owner' | 'lifecycle' | 'relations' | 'document'>;

/** Fields that have a place of their own on the page of a kind. */
const placed: Record<string, string[]> = {
  API: ['definition'],
  User: ['profile'],
  Group: ['profile'],
  Space: ['inherit'],
};

const longest = 200;
const most = 30;

const isScalar = (value: unknown) => value === null || typeof value !== 'object';

const counted = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;

function sizeOf(value: unknown): string {
  if (Array.isArray(value)) return counted(value.length, 'item');
  if (isMap(value)) return counted(Object.keys(value).length, 'field');
  return counted(String(value).trimEnd().split('\n').length, 'line');
}

function fieldOf(name: string, value: unknown): SpecField {
  const block = () => ({
    name,
    as: 'block' as const,
    size: sizeOf(value),
    text: isScalar(value) ? String(value) : toYAML(value),
  });
  if (isScalar(value)) {
    const text = String(value);
    return text.length > longest || text.includes('\n') ? block() : { name, as: 'text', text };
  }
  if (!Array.isArray(value)) return block();
  const items = value.filter(isScalar).map(String);
  const short = items.length === value.length && items.length <= most;
  return short && items.every((i) => i.length <= longest && !i.includes('\n')) ? { name, as: 'list', items } : block();
}

/** The fields of spec that are shown nowhere else: not as a fact, as a relation, or by a tab. Empty ones are left away. */
export function restOfSpec(entity: Shown): SpecField[] {
  const elsewhere = new Set([
    ...(entity.type ? ['type'] : []),
    ...(entity.owner ? ['owner'] : []),
    ...(entity.lifecycle ? ['lifecycle'] : []),
    ...(systemOf(entity.relations) ? ['system'] : []),
    ...(placed[entity.kind] ?? []),
    ...relationFields(entity.kind, entity.type).map((field) => field.name),
  ]);
  return Object.entries(specOf(entity))
    .filter(([name, value]) => !elsewhere.has(name) && value !== undefined && value !== null && value !== '')
    .filter(([, value]) => isScalar(value) || Object.keys(value as object).length > 0)
    .map(([name, value]) => fieldOf(name, value));
}
