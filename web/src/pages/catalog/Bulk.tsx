import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { useStar } from '../../api/editing';
import type { Entity } from '../../api/types';
import { BulkEdit, type What } from './BulkEdit';
import classes from './catalog.module.css';
import { RefreshMany, useRefreshMany } from './RefreshMany';
import { RemoveMany } from './RemoveMany';
import { UnregisterMany } from './UnregisterMany';

const most = 200;

/** What can be done with the rows that are selected. */
export function Bulk({
  items,
  selected,
  clear,
  starred,
}: {
  items: Entity[];
  selected: ReadonlySet<string>;
  clear: () => void;
  starred: ReadonlySet<string>;
}) {
  const [what, setWhat] = useState<What | 'remove' | 'unregister'>();
  const star = useStar();
  const refresh = useRefreshMany();
  if (selected.size === 0) return null;
  const refs = [...selected];
  const stars = refs.every((ref) => starred.has(ref));
  const entities = items.filter((e) => selected.has(e.ref));
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
      <Button
        size="xs"
        variant="default"
        disabled={many}
        loading={refresh.isPending}
        onClick={() => refresh.mutate(entities)}
      >
        Refresh
      </Button>
      <Button size="xs" variant="default" color="red" disabled={many} onClick={() => setWhat('unregister')}>
        Unregister
      </Button>
      <Button size="xs" variant="default" color="red" disabled={many} onClick={() => setWhat('remove')}>
        Delete
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={clear}>
        Select none
      </Button>
      {refresh.data && <RefreshMany done={refresh.data} close={() => refresh.reset()} />}
      {what === 'unregister' && (
        <UnregisterMany
          entities={entities}
          close={(done) => {
            setWhat(undefined);
            if (done) clear();
          }}
        />
      )}
      {what && what !== 'remove' && what !== 'unregister' && (
        <BulkEdit refs={refs} begin={what} close={() => setWhat(undefined)} />
      )}
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
