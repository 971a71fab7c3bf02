import type { resourceWords } from '../../words/addresses';

export type ResourceSearch = { [N in (typeof resourceWords)[number]]?: string };

const plain = /^[\w.:/@-]+$/;
const quoted = (word: string) => (plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** The command that shows the same resources. */
export function command(search: ResourceSearch): string {
  const { text, orphan, drifted, show, ...rest } = search;
  const flags = Object.entries(rest).flatMap(([name, value]) => (value ? [`--${name}`, quoted(value)] : []));
  return [
    'roadbed resources',
    ...(text ? [quoted(text)] : []),
    ...flags,
    ...(orphan === 'true' ? ['--orphan'] : []),
    ...(drifted === 'true' ? ['--drifted'] : []),
  ].join(' ');
}
