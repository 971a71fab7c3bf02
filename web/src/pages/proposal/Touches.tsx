import { Button } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { useState } from 'react';
import { entity } from '../../api/queries';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { parseRef } from '../../words/ref';
import classes from './proposal.module.css';

/** How many are shown until somebody wants all. */
const few = 8;

/** The entities whose files a proposal changes, and whose they are. Who may not see one reads its name alone. */
export function Touches({ refs }: { refs: string[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? refs : refs.slice(0, few);
  const found = useQueries({
    queries: shown.map((text) => {
      const ref = parseRef(text);
      return {
        ...entity(ref?.kind ?? '', ref?.namespace ?? '', ref?.name ?? ''),
        enabled: ref !== undefined,
        retry: false,
      };
    }),
  });
  if (refs.length === 0) return null;
  return (
    <Section title="Touches">
      <ul className={classes.list} aria-label="Touches">
        {shown.map((text, i) => (
          <li key={text}>
            <span>
              <RefLink to={text} kind />
              {found[i]?.data?.owner && (
                <>
                  , owned by <RefLink to={found[i].data.owner} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
      {shown.length < refs.length && (
        <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setAll(true)}>
          {refs.length - shown.length} more
        </Button>
      )}
    </Section>
  );
}
