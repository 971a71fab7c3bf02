import type { stackWords } from '../../words/addresses';

export type StackSearch = { [N in (typeof stackWords)[number]]?: string };

const plain = /^[\w.:/@,-]+$/;
const quoted = (word: string) => (plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** The command that shows the same stacks. */
export function command({ drifted, queued, ...rest }: StackSearch): string {
  const flags = Object.entries(rest).flatMap(([name, value]) => (value ? [`--${name}`, quoted(value)] : []));
  return [
    'roadbed stack list',
    ...flags,
    ...(drifted === 'true' ? ['--drifted'] : []),
    ...(queued === 'true' ? ['--queued'] : []),
  ].join(' ');
}
