import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { SearchHit } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Pieces } from '../../parts/Pieces';
import { RefLink } from '../../parts/RefLink';
import { ThingIcon } from '../../parts/ThingIcon';
import { whatOf } from '../../words/found';
import classes from './search.module.css';

/** One thing that was found: what it is called, what matches, and what it is. */
export function Result({ hit }: { hit: SearchHit }) {
  const [to, hash] = hit.address.split('#');
  return (
    <li className={classes.result}>
      <div className={classes.icon}>
        <ThingIcon of={hit} />
      </div>
      <div className={classes.words}>
        <Anchor component={Link} to={to} hash={hash} size="sm" fw={500}>
          <Pieces of={hit.title} />
        </Anchor>
        {hit.text && hit.text.length > 0 && (
          <p className={classes.text}>
            <Pieces of={hit.text} />
          </p>
        )}
        <div className={classes.facts}>
          <span>{whatOf(hit)}</span>
          {hit.in !== 'runs' && hit.type && <span>{hit.type}</span>}
          {hit.lifecycle && <span>{hit.lifecycle}</span>}
          {hit.owner && <RefLink to={hit.owner} />}
          {hit.updated && <Moment at={hit.updated} />}
        </div>
      </div>
    </li>
  );
}
