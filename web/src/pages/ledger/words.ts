import type { LedgerEntry } from '../../api/types';
import { plain, shortCommit } from '../../words/ref';

/** What an entry tells, in a few words: "run state changed to finished". */
export function sayType(entry: Pick<LedgerEntry, 'type' | 'data'>): string {
  const said = plain(entry.type);
  const data = (entry.data && typeof entry.data === 'object' ? entry.data : {}) as Record<string, unknown>;
  if (entry.type === 'stackset.looked') return `looked at its branch: ${sayLook(data)}`;
  if (entry.type === 'session.ended') return sayEnd(said, data);
  const to = data.to ?? data.state;
  return typeof to === 'string' && to ? `${said}: ${/^[0-9a-f]{40}$/.test(to) ? shortCommit(to) : plain(to)}` : said;
}

/** What ended at once, and why: "session ended: 2 sessions and 4 tokens, the token was revoked". */
function sayEnd(said: string, { sessions, tokens, why }: Record<string, unknown>): string {
  const counted = [
    [Number(sessions), 'session'],
    [Number(tokens), 'token'],
  ].flatMap(([n, what]) => (Number(n) > 0 ? [`${n} ${what}${n === 1 ? '' : 's'}`] : []));
  const many = Number(sessions) + Number(tokens) > 1 || Number(sessions) === 0 ? counted.join(' and ') : '';
  const more = [many, typeof why === 'string' ? why : ''].filter(Boolean).join(', ');
  return more ? `${said}: ${more}` : said;
}

/** What a look of a stack set came to: "14 made, 2 without a folder". */
function sayLook({ made, gone, found }: Record<string, unknown>): string {
  const { kept, held, wrong, message } = (found && typeof found === 'object' ? found : {}) as Record<string, unknown>;
  const counted: [unknown, string][] = [
    [made, 'made'],
    [gone, 'taken away'],
    [kept, 'without a folder'],
    [held, 'held back'],
    [wrong, 'could become no stack'],
  ];
  const said = counted.flatMap(([n, what]) => (Number(n) > 0 ? [`${n} ${what}`] : []));
  if (typeof message === 'string' && message && !Number(held)) said.push(message);
  return said.join(', ') || 'all as it should be';
}
