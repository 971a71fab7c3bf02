import { UnstyledButton } from '@mantine/core';
import type { StackSet } from '../../api/types';
import { tone } from '../../words/status';
import classes from './Shares.module.css';
import { type Standing, shares, shown } from './standing';

/** The folders of a set as a bar, by how they stand; each part of its legend narrows the list below. */
export function Shares({ set, chosen, choose }: { set: StackSet; chosen?: string; choose: (s?: Standing) => void }) {
  const all = shares(set);
  if (all.length === 0) return null;
  return (
    <div>
      <div className={classes.bar} aria-hidden>
        {all.map((s) => (
          <span
            key={s.standing}
            data-tone={tone(shown[s.standing].state)}
            data-dim={(chosen && chosen !== s.standing) || undefined}
            style={{ flexGrow: s.count }}
          />
        ))}
      </div>
      <ul className={classes.legend} aria-label="Folders by how they stand">
        {all.map((s) => (
          <li key={s.standing}>
            <UnstyledButton
              className={classes.share}
              aria-pressed={chosen === s.standing}
              onClick={() => choose(chosen === s.standing ? undefined : s.standing)}
            >
              <span className={classes.dot} data-tone={tone(shown[s.standing].state)} aria-hidden />
              <strong>{s.count}</strong> {s.name}
            </UnstyledButton>
          </li>
        ))}
      </ul>
    </div>
  );
}
