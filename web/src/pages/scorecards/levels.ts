import type { Scorecard, ScorecardDay } from '../../api/types';

/** Colours that a scorecard may name, dark enough on light ground and light enough on dark. */
const colors: Record<string, string> = {
  gray: 'light-dark(#868e96, #adb5bd)',
  red: 'light-dark(#c22727, #ff8f8a)',
  pink: 'light-dark(#c2255c, #faa2c1)',
  grape: 'light-dark(#9c36b5, #e599f7)',
  violet: 'light-dark(#6741d9, #b197fc)',
  indigo: 'light-dark(#3b5bdb, #91a7ff)',
  blue: 'light-dark(#1971c2, #74c0fc)',
  cyan: 'light-dark(#0c8599, #66d9e8)',
  teal: 'light-dark(#099268, #63e6be)',
  green: 'light-dark(#2f9e44, #8ce99a)',
  lime: 'light-dark(#66a80f, #c0eb75)',
  yellow: 'light-dark(#e67700, #ffe066)',
  orange: 'light-dark(#d9480f, #ffc078)',
  bronze: 'light-dark(#a0642c, #cd9058)',
  silver: 'light-dark(#8f9aa8, #c3ccd8)',
  gold: 'light-dark(#c79100, #f2c94c)',
  platinum: 'light-dark(#4a7f94, #a9dceb)',
};
const inTurn = ['bronze', 'silver', 'gold', 'platinum', 'teal', 'blue', 'violet', 'grape', 'pink', 'red'];

/** The colour of a level: its own, or one by its place among the others. */
export function colorOf(levels: { name: string; color?: string }[], name: string): string {
  const at = levels.findIndex((l) => l.name === name);
  if (at < 0) return 'var(--line)';
  return colors[levels[at]?.color || inTurn[at % inTurn.length] || 'gray'] ?? 'gray';
}

export interface Share {
  name: string;
  title: string;
  count: number;
  color: string;
}

/** How many are at which level, the highest first, and last those at none. */
export function shares(card: Pick<Scorecard, 'levels' | 'none'>): Share[] {
  const all = card.levels.map((l) => ({
    name: l.name,
    title: l.title || l.name,
    count: l.entities,
    color: colorOf(card.levels, l.name),
  }));
  return [...all.reverse(), { name: 'none', title: 'No level', count: card.none, color: 'var(--line)' }];
}

export interface Band {
  name: string;
  color: string;
  path: string;
}

/** Bands of a chart that is wide by high, one above the other, the highest level below. One day fills the whole width. */
export function bands(
  card: Pick<Scorecard, 'levels' | 'none'>,
  days: ScorecardDay[],
  wide: number,
  high: number,
): Band[] {
  const shown = days.length === 1 ? [days[0], days[0]].filter((d) => d !== undefined) : days;
  const most = Math.max(1, ...shown.map((d) => d.entities));
  const below = shown.map(() => 0);
  const x = (i: number) => ((i * wide) / Math.max(1, shown.length - 1)).toFixed(1);
  const y = (n: number) => (high - (n * high) / most).toFixed(1);
  return shares(card).map(({ name, color }) => {
    const bottom = shown.map((_, i) => `${x(i)},${y(below[i] ?? 0)}`).reverse();
    const top = shown.map((d, i) => {
      below[i] = (below[i] ?? 0) + (d.levels[name] ?? 0);
      return `${x(i)},${y(below[i])}`;
    });
    return { name, color, path: `M${[...top, ...bottom].join(' L')} Z` };
  });
}
