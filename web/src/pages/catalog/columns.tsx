import { Badge } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Entity } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { RefLink } from '../../parts/RefLink';
import { systemOf } from '../../words/ref';
import { values } from './filter';

export interface EntityColumn {
  id: string;
  name: string;
  width: string;
  /** The field by which the list is sorted by it. */
  sort?: string;
  cell: (e: Entity) => ReactNode;
  text: (e: Entity) => string;
}

const system = (e: Entity) => systemOf(e.relations);

/** The columns that can be chosen; the name is always there. */
export const columns: EntityColumn[] = [
  { id: 'kind', name: 'Kind', width: 'minmax(74px, 0.6fr)', sort: 'kind', cell: (e) => e.kind, text: (e) => e.kind },
  {
    id: 'type',
    name: 'Type',
    width: 'minmax(62px, 0.6fr)',
    sort: 'type',
    cell: (e) => e.type,
    text: (e) => e.type ?? '',
  },
  {
    id: 'owner',
    name: 'Owner',
    width: 'minmax(76px, 0.9fr)',
    sort: 'owner',
    cell: (e) => e.owner && <RefLink to={e.owner} />,
    text: (e) => e.owner ?? '',
  },
  {
    id: 'lifecycle',
    name: 'Lifecycle',
    width: 'minmax(74px, 0.6fr)',
    sort: 'lifecycle',
    cell: (e) => e.lifecycle,
    text: (e) => e.lifecycle ?? '',
  },
  {
    id: 'system',
    name: 'System',
    width: 'minmax(76px, 0.8fr)',
    cell: (e) => system(e) && <RefLink to={system(e)} />,
    text: system,
  },
  {
    id: 'tags',
    name: 'Tags',
    width: 'minmax(80px, 1fr)',
    cell: (e) =>
      (e.tags ?? []).slice(0, 3).map((tag) => (
        <Badge key={tag} variant="default" tt="none" fw={500} size="sm" mr={4}>
          {tag}
        </Badge>
      )),
    text: (e) => (e.tags ?? []).join(' '),
  },
  {
    id: 'namespace',
    name: 'Namespace',
    width: 'minmax(74px, 0.6fr)',
    cell: (e) => e.namespace,
    text: (e) => e.namespace,
  },
  { id: 'space', name: 'Space', width: 'minmax(62px, 0.6fr)', cell: (e) => e.space, text: (e) => e.space },
  { id: 'source', name: 'Declared by', width: 'minmax(100px, 1fr)', cell: (e) => e.source, text: (e) => e.source },
  {
    id: 'created',
    name: 'Created',
    width: 'minmax(92px, 0.6fr)',
    sort: 'created',
    cell: (e) => <Moment at={e.created} />,
    text: (e) => e.created,
  },
  {
    id: 'updated',
    name: 'Changed',
    width: 'minmax(92px, 0.6fr)',
    sort: 'updated',
    cell: (e) => <Moment at={e.updated} />,
    text: (e) => e.updated,
  },
];

export const usual = ['kind', 'type', 'owner', 'lifecycle', 'tags', 'created', 'updated'];

const place = 'roadbed.catalog.columns';

/** The columns that this browser keeps as its person's own; undefined when they never chose. */
export function ownColumns(): string | undefined {
  try {
    const kept = localStorage.getItem(place);
    return kept === null ? undefined : columnsParam(values(kept));
  } catch {
    return undefined; // a browser that keeps nothing shows the usual ones
  }
}

/** Columns in an address, in their order; the name, which is always there, stands for none besides. */
export const columnsParam = (names: string[]): string =>
  columns
    .map((c) => c.id)
    .filter((id) => names.includes(id))
    .join(',') || 'name';

/** The columns of the address, those of one's own, or the usual ones. */
export function chosenColumns(address?: string, own = ownColumns()): EntityColumn[] {
  const names = values(address ?? own ?? usual.join(','));
  return columns.filter((c) => names.includes(c.id));
}

export function keepColumns(names: string[]) {
  try {
    localStorage.setItem(place, names.join(','));
  } catch {
    // it is chosen again next time
  }
}
