import { spans } from './ansi';
import classes from './LogView.module.css';
import type { Line } from './log';

/** One line with its colours; its number makes it the line that the address leads to. */
export function LogLine({ line, choose }: { line: Line; choose: () => void }) {
  return (
    <>
      <button
        type="button"
        tabIndex={-1}
        className={classes.number}
        onClick={choose}
        aria-label={`Link to line ${line.number}`}
      >
        {line.number}
      </button>
      <span className={classes.text}>
        {line.raw === undefined
          ? line.text
          : spans(line.raw).map((span, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts of a line never move
              <span key={i} className={span.classes.map((name) => classes[name]).join(' ') || undefined}>
                {span.text}
              </span>
            ))}
      </span>
    </>
  );
}
