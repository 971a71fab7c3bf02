import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { duration } from '../../words/time';
import type { Phase } from './folds';
import classes from './LogView.module.css';

/** A log tells its time in tenths of a second. */
const said = (ms: number) => (ms < 1000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms));

/** The head of a phase in a log, which folds it and opens it. */
export function LogPhase({ phase, turn }: { phase: Phase; turn: () => void }) {
  const Chevron = phase.open ? IconChevronDown : IconChevronRight;
  return (
    <button type="button" className={classes.phase} aria-expanded={phase.open} onClick={turn}>
      <Chevron size={14} aria-hidden />
      <span className={classes.phaseName}>{phase.name}</span>
      <span>{phase.lines === 1 ? '1 line' : `${phase.lines.toLocaleString('en')} lines`}</span>
      {phase.took !== undefined && <span>{said(phase.took)}</span>}
    </button>
  );
}
