import type { EntityFilter } from '../../api/queries';
import type { View } from '../../api/types';
import { catalogWords } from '../../words/addresses';

export type CatalogSearch = { [N in (typeof catalogWords)[number]]?: string };

/** The filters of several values, by commas in the address. */
export const lists = ['kind', 'type', 'owner', 'lifecycle', 'tag', 'system', 'space', 'namespace', 'gap'] as const;
export type ListName = (typeof lists)[number];
/** The filters that are on or off. */
export const flags = ['mine', 'below', 'starred', 'failed', 'orphan'] as const;
export type FlagName = (typeof flags)[number];

export const values = (text?: string): string[] => (text ? text.split(',').filter(Boolean) : []);
export const joined = (all: string[]): string | undefined => all.join(',') || undefined;
/** A filter with a value added, or taken away when it is there. */
export const turned = (text: string | undefined, value: string): string | undefined =>
  joined(values(text).includes(value) ? values(text).filter((v) => v !== value) : [...values(text), value]);

/** The names of the filters that are set; how a list is sorted and shown is none. */
export const chosen = (search: CatalogSearch): (ListName | FlagName | 'text' | 'location')[] =>
  (['text', 'location', ...lists, ...flags] as const).filter((name) => search[name]);

/** What the API is asked. Of the past not everything is known. */
export function toFilter(search: CatalogSearch): EntityFilter {
  const { columns: _, view: __, mine, below, starred, failed, orphan, gap, sort, location, ...rest } = search;
  const filter: EntityFilter = { ...rest, mine: mine ? true : undefined };
  if (search.asOf) return filter;
  return {
    ...filter,
    below: below ? true : undefined,
    gap,
    sort,
    location,
    starred: starred ? true : undefined,
    failed: failed ? true : undefined,
    orphan: orphan ? true : undefined,
  };
}

const quoted = (text: string) => (/^[\w.,:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The command that lists the same. */
export function command(search: CatalogSearch): string {
  const words = ['roadbed get', search.kind ? quoted(search.kind) : 'all'];
  for (const name of ['text', 'location', ...lists] as const) {
    const value = search[name];
    if (name !== 'kind' && value) words.push(`--${name} ${quoted(value)}`);
  }
  for (const name of flags) if (search[name]) words.push(`--${name}`);
  if (search.sort) words.push(`--sort ${search.sort}`);
  if (search.asOf) words.push(`--as-of ${search.asOf}`);
  return words.join(' ');
}

export interface Offered {
  value: string;
  /** Absent when it is not known. */
  count?: number;
}

/** The values of a field from which to choose, those that are chosen first. Where only the most frequent are counted, the count of others is not known. */
export function offer(counted: Offered[], chosen: string[], cut: boolean): Offered[] {
  const count = cut ? undefined : 0;
  const gone = chosen.filter((value) => !counted.some((f) => f.value === value)).map((value) => ({ value, count }));
  return [
    ...gone,
    ...counted.filter((f) => chosen.includes(f.value)),
    ...counted.filter((f) => !chosen.includes(f.value)),
  ];
}

/** What a saved view keeps of an address. */
export function viewQuery(search: CatalogSearch): string {
  const query = new URLSearchParams();
  for (const name of catalogWords) {
    const value = search[name];
    if (value && name !== 'asOf' && name !== 'view') query.set(name, value);
  }
  query.sort();
  return query.toString();
}

type Saved = Pick<View, 'id' | 'query'>;

/** The address that opens a view. */
export const opened = (view: Saved): CatalogSearch => ({
  ...Object.fromEntries(new URLSearchParams(view.query)),
  view: view.id,
});

/** The view that is open: the one that the address names, or one that says the same; and whether it is shown otherwise than it was saved. */
export function openView<V extends Saved>(views: V[], search: CatalogSearch): { view?: V; changed: boolean } {
  const now = viewQuery(search);
  const same = (v: V) => viewQuery(opened(v)) === now;
  const named = views.find((v) => v.id === search.view);
  return named ? { view: named, changed: !same(named) } : { view: views.find(same), changed: false };
}

/** The order after a press on the head of a column: upwards, downwards, then as it was. Times begin with the latest. */
export function nextSort(now: string | undefined, field: string): string | undefined {
  const [first, second] = field === 'created' || field === 'updated' ? [`-${field}`, field] : [field, `-${field}`];
  if (now === first) return second;
  return now === second ? undefined : first;
}

/** Rows as a table for spreadsheets, which begin no formula. */
export function csv(rows: string[][]): string {
  const cell = (text: string) => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${rows.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

export const gapNames: Record<string, string> = {
  'no-owner': 'No owner',
  'unknown-owner': 'Owner does not exist',
  'empty-owner': 'Owner without members',
  'no-lifecycle': 'No lifecycle',
  'no-system': 'Part of no system',
  'no-description': 'No description',
};
