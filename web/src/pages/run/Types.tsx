import { UnstyledButton } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { PlanChange } from '../../api/types';
import { planGroups, sayType, typesOf } from './plan';
import classes from './Types.module.css';

/** How many types are shown at first. */
const few = 12;

interface Props {
  changes: PlanChange[];
  chosen?: string;
  choose: (type?: string) => void;
}

/** What a larger plan is about: its types of resources with what becomes of them, each of which filters the list. */
export function Types({ changes, chosen, choose }: Props) {
  const [all, setAll] = useState(false);
  const types = useMemo(() => typesOf(changes), [changes]);
  if (types.length < 2 && !chosen) return null;
  const shown = all ? types : types.slice(0, few);
  return (
    <ul className={classes.types} aria-label="Types of what changes">
      {shown.map(({ type, n }) => (
        <li key={type}>
          <UnstyledButton
            className={classes.type}
            aria-label={sayType(type, n)}
            aria-pressed={chosen === type}
            onClick={() => choose(chosen === type ? undefined : type)}
          >
            {type}
            {planGroups
              .filter((g) => n[g.name] > 0)
              .map((g) => (
                <span key={g.name} data-group={g.name} title={`${n[g.name]} ${g.label}`}>
                  {g.sign}
                  {n[g.name]}
                </span>
              ))}
          </UnstyledButton>
        </li>
      ))}
      {types.length > few && (
        <li>
          <UnstyledButton className={classes.type} aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? 'Fewer' : `${types.length - few} more types`}
          </UnstyledButton>
        </li>
      )}
    </ul>
  );
}
