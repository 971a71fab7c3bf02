import { wholeRef } from '../../words/ref';

/** A field of spec that names other entities. */
export interface RelationField {
  name: string;
  label: string;
  /** Those that are offered, as a filter of the catalog. */
  kinds: string;
  /** What a name alone is taken for; without it a reference says its kind. */
  kind?: string;
  many?: boolean;
}

const one = (name: string, label: string, kind: string): RelationField => ({ name, label, kinds: kind, kind });
const many = (name: string, label: string, kind: string): RelationField => ({ ...one(name, label, kind), many: true });

const dependencies: RelationField[] = [
  { name: 'dependsOn', label: 'Depends on', kinds: 'component,resource', many: true },
  { name: 'dependencyOf', label: 'Dependency of', kinds: 'component,resource', many: true },
];

const byKind: Record<string, RelationField[]> = {
  Component: [
    one('subcomponentOf', 'Subcomponent of', 'component'),
    many('providesApis', 'Provides APIs', 'api'),
    many('consumesApis', 'Consumes APIs', 'api'),
    ...dependencies,
  ],
  Resource: dependencies,
  System: [one('domain', 'Domain', 'domain')],
  Domain: [one('subdomainOf', 'Subdomain of', 'domain')],
  Group: [one('parent', 'Parent', 'group'), many('children', 'Children', 'group'), many('members', 'Members', 'user')],
  User: [many('memberOf', 'Member of', 'group')],
};

const ofAI: Record<string, RelationField[]> = {
  skill: [many('dependsOn', 'Depends on', 'airesource')],
  plugin: [many('skills', 'Skills', 'airesource')],
  marketplace: [many('plugins', 'Plugins', 'airesource')],
};

/** The kinds that are part of a system by a field of theirs. */
export const inSystem = new Set(['Component', 'API', 'Resource', 'AiResource']);

/** The relations of a kind that Backstage's model knows, save its owner and its system. */
export const relationFields = (kind: string, type?: string): RelationField[] =>
  (kind === 'AiResource' ? ofAI[type ?? ''] : byKind[kind]) ?? [];

/** What a field names, as it is written; undefined for what a form can't show, which stays as it is. */
export function namedBy(value: unknown, field: RelationField): string[] | undefined {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [value];
  return field.many && Array.isArray(value) && value.every((v) => typeof v === 'string') ? value : undefined;
}

/** The entity that is named in a document of a namespace. */
export const named = (text: string, field: RelationField, namespace?: string): string =>
  wholeRef(text, field.kind, namespace).toLowerCase();
