import type { LedgerEntry } from '../../api/types';
import { plain, shortCommit } from '../../words/ref';

/** What an entry tells, in a few words: "run state changed to finished". */
export function sayType(entry: Pick<LedgerEntry, 'type' | 'data'>): string {
  const said = plain(entry.type);
  const data = (entry.data && typeof entry.data === 'object' ? entry.data : {}) as Record<string, unknown>;
  const to = data.to ?? data.state;
  return typeof to === 'string' && to ? `${said}: ${/^[0-9a-f]{40}$/.test(to) ? shortCommit(to) : plain(to)}` : said;
}
