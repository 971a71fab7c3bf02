import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconClockPause,
  IconProgress,
  type TablerIcon,
} from '@tabler/icons-react';
import { type Tone, tone, word } from '../words/status';
import classes from './State.module.css';

const icons: Record<Tone, TablerIcon> = {
  good: IconCircleCheck,
  bad: IconCircleX,
  busy: IconProgress,
  wait: IconClockPause,
  warn: IconAlertTriangle,
  quiet: IconCircleDashed,
};

interface Props {
  state: string;
  /** Without the coloured ground, for dense lists. */
  bare?: boolean;
  /** Says what the state is of, for readers of the screen: "health". */
  of?: string;
  /** Said in place of the state's own word. */
  said?: string;
}

/** A state as icon, word and colour. */
export function State({ state, bare, of, said }: Props) {
  const kind = tone(state);
  const Icon = icons[kind];
  return (
    <span className={classes.state} data-tone={kind} data-bare={bare || undefined}>
      <Icon size={15} stroke={2} aria-hidden className={kind === 'busy' ? classes.turning : undefined} />
      <span>
        {of && <span className={classes.hidden}>{of}: </span>}
        {said ?? word(state)}
      </span>
    </span>
  );
}
