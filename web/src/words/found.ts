import type { SearchHit, TextPiece } from '../api/types';
import { shortRef } from './ref';
import { word } from './status';

export const joined = (pieces: TextPiece[] = []) => pieces.map((p) => p.text).join('');

/** What a hit is, in a few words. */
export function whatOf(hit: SearchHit): string {
  if (hit.in === 'runs') return `${hit.type ?? 'run'} ${word(hit.state ?? '')}`.trim();
  if (hit.in === 'docs') return [hit.page, `docs of ${shortRef(hit.ref ?? '')}`].filter(Boolean).join(', ');
  return hit.ref ?? '';
}

/** The names of the kinds of things that are found. */
export const thingNames: Record<string, string> = { entities: 'Catalog', apis: 'APIs', docs: 'Docs', runs: 'Runs' };

/** Hits by kind of thing, in the order in which each comes first. */
export function byThing(hits: SearchHit[]): [string, SearchHit[]][] {
  const groups = new Map<string, SearchHit[]>();
  for (const hit of hits) groups.set(hit.in, [...(groups.get(hit.in) ?? []), hit]);
  return [...groups];
}

/** A place that somebody went to by the palette. */
export interface Recent {
  address: string;
  title: string;
  about: string;
}

const mostRecent = 8;

/** The recent places with one more, the newest first, each once. */
export function withRecent(before: Recent[], next: Recent): Recent[] {
  return [next, ...before.filter((r) => r.address !== next.address)].slice(0, mostRecent);
}

/** The command that searches alike. */
export function searchCommand(filter: { q?: string } & { [name: string]: string | undefined }): string {
  const { q, ...flags } = filter;
  const quoted = (text: string) => (/^[\w.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const given = Object.entries(flags).flatMap(([name, value]) => (value ? [`--${name} ${quoted(value)}`] : []));
  return ['roadbed search', quoted(q ?? ''), ...given].join(' ');
}
