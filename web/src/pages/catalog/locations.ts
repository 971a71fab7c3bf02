import { api, body } from '../../api/client';
import { each, type Options } from '../../api/each';
import { Problem } from '../../api/problem';
import type { Entity } from '../../api/types';
import { shown } from './Names';

/** An entity with what tells where it comes from. */
export type Placed = Pick<Entity, 'ref' | 'source' | 'location' | 'origin' | 'orphan'>;

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

/** A location that is to go, with all that came from it. */
export interface Going extends Chosen {
  /** What it is called; of one that is not among the first, a file of it. */
  name: string;
  total: number;
  /** The first of what came from it. */
  some: string[];
}

/** What each location is called, and what goes with it. It fails where that can't be read of one: nobody agrees to what is not told. */
export async function goingWith(locations: Chosen[], progress: Options = {}): Promise<Going[]> {
  const found: Going[] = locations.map((chosen) => ({ ...chosen, name: chosen.source, total: 0, some: [] }));
  const named = new Set(found.slice(0, shown));
  const work = async (going: Going) => {
    const { id } = going;
    if (named.has(going)) {
      const at = await body(api.GET('/api/v1/locations/{id}', { params: { path: { id } } }));
      going.name = `${at.repository}${at.ref ? `@${at.ref}` : ''}:${at.path}`;
    }
    const all = await body(api.GET('/api/v1/entities', { params: { query: { location: id, limit: 3 } } }));
    going.total = all.total;
    going.some = all.items.map((e) => e.ref);
  };
  const [failed] = await each(found, work, progress);
  if (failed) throw new Problem(0, 'It can’t be told what would go', `${failed.item.source}: ${failed.why}`);
  return found;
}
