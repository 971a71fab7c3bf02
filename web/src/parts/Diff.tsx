import classes from './Diff.module.css';

const kinds: Record<string, string> = { '+': 'added', '-': 'removed', '@': 'place', '~': 'changed' };

/** A unified diff with its lines coloured; the signs stay, so that colour is not all that tells. */
export function Diff({ text, label }: { text: string; label: string }) {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <figure className={classes.diff} aria-label={label} tabIndex={0}>
      {lines.map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines of a diff never move
        <span key={i} data-kind={kinds[line[0] ?? '']}>
          {line || ' '}
          {'\n'}
        </span>
      ))}
    </figure>
  );
}
