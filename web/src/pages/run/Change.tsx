import { Checkbox } from '@mantine/core';
import type { PlanChange } from '../../api/types';
import classes from './Change.module.css';
import { type Attribute, attributes, groupOf, planGroups } from './plan';

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
  return (
    <details className={classes.change} open={open} onToggle={(e) => turned?.(e.currentTarget.open)}>
      <summary className={classes.summary} data-group={group?.name}>
        <span className={classes.sign} aria-hidden>
          {group?.sign}
        </span>
        <span className={classes.address}>{change.address}</span>
        <span className={classes.action}>{group?.name === 'other' ? change.action : group?.label}</span>
      </summary>
      <div className={classes.inside}>
        {change.previousAddress && <p>Moved from {change.previousAddress}</p>}
        {change.reason && <p>{change.reason}</p>}
        {change.sensitive && <p>Sensitive values are not shown.</p>}
        <Attributes change={change} />
      </div>
    </details>
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
        {rows.map((row) => (
          <tr key={row.path}>
            <th scope="row">{row.path || 'value'}</th>
            <td data-side="before">{row.before ?? ''}</td>
            <td data-side="after">
              <After row={row} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function After({ row }: { row: Attribute }) {
  return row.unknown ? <i>known after apply</i> : (row.after ?? '');
}
