import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { useStar } from '../../api/editing';
import { BulkEdit, type What } from './BulkEdit';
import classes from './catalog.module.css';
import { RemoveMany } from './RemoveMany';

const most = 200;

/** What can be done with the rows that are selected. */
export function Bulk({
  selected,
  clear,
  starred,
}: {
  selected: ReadonlySet<string>;
  clear: () => void;
  starred: ReadonlySet<string>;
}) {
  const [what, setWhat] = useState<What | 'remove'>();
  const star = useStar();
  if (selected.size === 0) return null;
  const refs = [...selected];
  const stars = refs.every((ref) => starred.has(ref));
  const many = refs.length > most;
  return (
    <section className={classes.bulk} aria-label="Selected entities">
      <Text size="sm" fw={500}>
        {selected.size.toLocaleString('en')} selected
      </Text>
      {many && (
        <Text size="sm" c="dimmed">
          At most {most} at once
        </Text>
      )}
      <Button size="xs" variant="default" disabled={many} onClick={() => setWhat('owner')}>
        Change owner
      </Button>
      <Button size="xs" variant="default" disabled={many} onClick={() => setWhat('addTags')}>
        Add tags
      </Button>
      <Button size="xs" variant="default" disabled={many} onClick={() => setWhat('lifecycle')}>
        More changes
      </Button>
      <Button
        size="xs"
        variant="default"
        disabled={many}
        onClick={() => {
          for (const ref of refs) star.mutate({ ref, on: !stars });
        }}
      >
        {stars ? 'Take the stars' : 'Star'}
      </Button>
      <Button size="xs" variant="default" color="red" disabled={many} onClick={() => setWhat('remove')}>
        Delete
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={clear}>
        Select none
      </Button>
      {what && what !== 'remove' && <BulkEdit refs={refs} begin={what} close={() => setWhat(undefined)} />}
      {what === 'remove' && (
        <RemoveMany
          refs={refs}
          close={(done) => {
            setWhat(undefined);
            if (done) clear();
          }}
        />
      )}
    </section>
  );
}
