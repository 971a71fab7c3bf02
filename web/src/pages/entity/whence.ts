import type { Entity } from '../../api/types';

/** What declares an entity. */
export type Whence =
  | { by: 'file'; repository: string; path: string; commit?: string; location?: string }
  /** A location whose file declares it no more. */
  | { by: 'location'; location: string }
  /** An outside system that pushes. */
  | { by: 'push'; name: string }
  /** A Discovery or a Directory, by its reference. */
  | { by: 'finder'; ref: string }
  | { by: 'platform' }
  /** By hand, or a script; the name of the set when it has one. */
  | { by: 'apply'; name?: string };

/** Reads what the API says of where an entity comes from: NAMESPACE/NAME/PATH of a file, or the name of its source. */
export function whence(entity: Pick<Entity, 'source' | 'location' | 'commit'>): Whence {
  const { source, location, commit } = entity;
  const [, prefix, rest = ''] = /^([a-z]+):(.+)$/.exec(source) ?? [];
  if (prefix === 'location') return { by: 'location', location: location || rest };
  const file = /^([^/:]+\/[^/:]+)(?:\/(.+))?$/.exec(source);
  if (file && (location || commit)) {
    return {
      by: 'file',
      repository: file[1] ?? '',
      path: file[2] ?? '',
      commit: commit || undefined,
      location: location || undefined,
    };
  }
  if (prefix === 'push') return { by: 'push', name: rest };
  if (prefix === 'discovery' || prefix === 'directory') return { by: 'finder', ref: source };
  if (prefix === 'roadbed') return { by: 'platform' };
  return { by: 'apply', name: source === 'apply' ? undefined : source };
}
