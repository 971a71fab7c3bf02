import type { Entity } from '../../api/types';
import { whence } from './whence';

export type Deed = 'refresh' | 'unregister' | 'delete';

/** What can be done with an entity by what brought it: a file is read again and unregistered, what was applied or is an orphan is deleted. */
export function deedsOf(entity: Pick<Entity, 'source' | 'location' | 'origin' | 'commit' | 'orphan'>): Deed[] {
  if (entity.orphan) return ['delete'];
  if (entity.origin) return entity.location ? ['refresh', 'unregister'] : ['unregister'];
  return whence(entity).by === 'apply' ? ['delete'] : [];
}
