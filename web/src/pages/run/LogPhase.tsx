import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { duration } from '../../words/time';
import type { Phase } from './folds';
import classes from './LogView.module.css';

/** The head of a phase in a log, which folds it and opens it. */
export function LogPhase({ phase, turn }: { phase: Phase; turn: () => void }) {
  const Chevron = phase.open ? IconChevronDown : IconChevronRight;
  return (
    <button type="button" className={classes.phase} aria-expanded={phase.open} onClick={turn}>
      <Chevron size={14} aria-hidden />
      <span className={classes.phaseName}>{phase.name}</span>
      <span>{phase.lines === 1 ? '1 line' : `${phase.lines.toLocaleString('en')} lines`}</span>
      {phase.took !== undefined && <span>{duration(phase.took)}</span>}
    </button>
  );
}
