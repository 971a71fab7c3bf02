import { Checkbox } from '@mantine/core';
import { useState } from 'react';
import type { PlanChange } from '../../api/types';
import { Diff } from '../../parts/Diff';
import { type Attribute, attributes, forces } from './attributes';
import classes from './Change.module.css';
import { groupOf, planGroups } from './plan';
import { sayReason } from './reason';

/** One resource of a plan; its attributes before and after are shown when it is opened. */
export function Change({ change, open, turned, pick }: Props) {
  if (!pick) return <Details change={change} open={open} turned={turned} />;
  return (
    <div className={classes.pick}>
      <Checkbox
        size="md"
        aria-label={`Choose ${change.address}`}
        checked={pick.chosen.has(change.address)}
        onChange={() => pick.turn(change.address)}
      />
      <Details change={change} open={open} turned={turned} />
    </div>
  );
}

/** What is chosen of a plan, by address. */
export interface Pick {
  chosen: ReadonlySet<string>;
  turn: (address: string) => void;
}

interface Props {
  change: PlanChange;
  open: boolean;
  turned?: (open: boolean) => void;
  pick?: Pick;
}

function Details({ change, open, turned }: Props) {
  const group = planGroups.find((g) => g.name === groupOf(change.action));
  const [seen, setSeen] = useState(open); // thousands of them are not worked out before anybody looks
  const toggled = (now: boolean) => {
    if (now) setSeen(true);
    turned?.(now);
  };
  return (
    <details className={classes.change} open={open} onToggle={(e) => toggled(e.currentTarget.open)}>
      <summary className={classes.summary} data-group={group?.name}>
        <span className={classes.sign} aria-hidden>
          {group?.sign}
        </span>
        <span className={classes.address}>{change.address}</span>
        <span className={classes.action}>{group?.name === 'other' ? change.action : group?.label}</span>
      </summary>
      {(seen || open) && <Inside change={change} />}
    </details>
  );
}

function Inside({ change }: { change: PlanChange }) {
  const replacing = change.replacePaths ?? [];
  return (
    <div className={classes.inside}>
      {change.previousAddress && <p>Moved from {change.previousAddress}</p>}
      {change.reason && <p>{sayReason(change.reason)}</p>}
      {replacing.length > 0 && <p>What forces the replacement: {replacing.join(', ')}</p>}
      {change.sensitive && <p>Sensitive values are not shown.</p>}
      <Attributes change={change} />
    </div>
  );
}

function Attributes({ change }: { change: PlanChange }) {
  const rows = attributes(change.before, change.after, change.afterUnknown);
  if (rows.length === 0) return change.reason ? null : <p>No attribute to show differs.</p>;
  return (
    <table className={classes.attributes}>
      <thead>
        <tr>
          <th scope="col">Attribute</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list may have an element less and one more at one place
          <tr key={`${row.path} ${i}`}>
            <th scope="row">
              {row.path || 'value'}
              {forces(row.path, change.replacePaths) && <span className={classes.forces}>forces replacement</span>}
            </th>
            {row.diff === undefined ? (
              <>
                <td data-side="before">{row.before ?? ''}</td>
                <td data-side="after">
                  <After row={row} />
                </td>
              </>
            ) : (
              <td colSpan={2}>
                <Diff text={row.diff} label={`How ${row.path || 'the value'} changes`} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function After({ row }: { row: Attribute }) {
  return row.unknown ? <i>known after apply</i> : (row.after ?? '');
}
