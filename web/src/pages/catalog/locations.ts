import type { Entity } from '../../api/types';

type Placed = Pick<Entity, 'ref' | 'source' | 'location' | 'origin' | 'orphan'>;

/** A location, with what is chosen of it. */
export interface Chosen {
  id: string;
  /** A file of it, for people. */
  source: string;
  refs: string[];
}

/** The locations that have read entities, and the entities that no location reads. */
export function readBy(entities: Placed[]): { locations: Chosen[]; others: string[] } {
  const locations = new Map<string, Chosen>();
  const others: string[] = [];
  for (const e of entities) {
    if (e.location && e.origin) add(locations, e.location, e);
    else others.push(e.ref);
  }
  return { locations: [...locations.values()], others };
}

/** What goes when entities are unregistered: the locations that somebody registered, and those that no file declares any more. */
export function registeredBy(entities: Placed[]): { locations: Chosen[]; orphans: string[]; others: string[] } {
  const locations = new Map<string, Chosen>();
  const orphans: string[] = [];
  const others: string[] = [];
  for (const e of entities) {
    if (e.orphan) orphans.push(e.ref);
    else if (e.origin) add(locations, e.origin, e);
    else others.push(e.ref);
  }
  return { locations: [...locations.values()], orphans, others };
}

function add(locations: Map<string, Chosen>, id: string, e: Placed) {
  const had = locations.get(id);
  if (had) had.refs.push(e.ref);
  else locations.set(id, { id, source: e.source, refs: [e.ref] });
}
