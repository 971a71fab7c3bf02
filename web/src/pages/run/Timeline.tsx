import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ledger } from '../../api/queries';
import type { RunDetail } from '../../api/types';
import { Moment, Took } from '../../parts/Moment';
import { State } from '../../parts/State';
import { tone, word } from '../../words/status';
import { full } from '../../words/time';
import classes from './Timeline.module.css';
import { type Happened, timeline } from './timeline';

/** How many moments are shown: of a run that was retried often, the newest. */
const most = 12;

/** What became of a run, when, and by whom, at a glance; its history has it all. */
export function Timeline({ run }: { run: RunDetail }) {
  const query = useInfiniteQuery(ledger({ run: run.id }, 200));
  const all = timeline(query.data?.pages.flatMap((p) => p.items) ?? []);
  if (all.length === 0) return null; // the ledger of its space is not everybody's
  const shown = all.slice(-most);
  const before = all.length - shown.length;
  return (
    <ol className={classes.line} aria-label="What became of it">
      {(before > 0 || query.hasNextPage) && (
        <li className={classes.moment}>
          <Anchor
            size="xs"
            renderRoot={(props) => (
              <Link to="/runs/$id" params={{ id: run.id }} search={(s) => ({ ...s, tab: 'details' })} {...props} />
            )}
          >
            {before > 0 ? `${before} before these` : 'More before these'}
          </Anchor>
        </li>
      )}
      {shown.map((one, i) => (
        <li key={one.id} className={classes.moment} title={[full(one.at), one.why].filter(Boolean).join(': ')}>
          <Stage one={one} last={i === shown.length - 1} />
          <span className={classes.about}>
            {one.who && <b>{one.who}</b>}
            {i < shown.length - 1 || !run.terminal ? (
              <Took started={one.at} ended={one.until} />
            ) : (
              <Moment at={one.at} />
            )}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** A stage that is past has not the look of one that goes on. */
function Stage({ one, last }: { one: Happened; last: boolean }) {
  const passed = !last && ['busy', 'wait'].includes(tone(one.what));
  return <State state={passed ? 'passed by' : one.what} said={word(one.what)} bare />;
}
