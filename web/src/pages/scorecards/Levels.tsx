import type { ReactNode } from 'react';
import type { Scorecard } from '../../api/types';
import { colorOf, type Share, shares } from './levels';
import classes from './scorecards.module.css';

/** How many are at which level, as a bar with a legend that may lead to them. */
export function LevelBar({
  card,
  link,
}: {
  card: Pick<Scorecard, 'levels' | 'none'>;
  link?: (share: Share, label: string) => ReactNode;
}) {
  const all = shares(card);
  return (
    <>
      <div className={classes.bar} aria-hidden>
        {all.map((s) => s.count > 0 && <div key={s.name} style={{ flexGrow: s.count, background: s.color }} />)}
      </div>
      <ul className={classes.legend}>
        {all.map((s) => {
          const label = `${s.title} ${s.count.toLocaleString('en')}`;
          return (
            <li key={s.name}>
              <span className={classes.dot} style={{ background: s.color }} aria-hidden />
              {link ? link(s, label) : label}
            </li>
          );
        })}
      </ul>
    </>
  );
}

/** The level that something is at. */
export function Level({ levels, name }: { levels: { name: string; title?: string; color?: string }[]; name?: string }) {
  const level = levels.find((l) => l.name === name);
  return (
    <span>
      <span className={classes.dot} style={{ background: colorOf(levels, name ?? '') }} aria-hidden />
      {level ? level.title || level.name : 'No level'}
    </span>
  );
}
