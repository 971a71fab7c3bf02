import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMemo, useState } from 'react';
import { mostStars, useStarMany } from '../../api/editing';
import type { EntityFilter } from '../../api/queries';
import type { Entity } from '../../api/types';
import { BulkEdit, type What } from './BulkEdit';
import classes from './catalog.module.css';
import type { Placed } from './locations';
import { counted, Names } from './Names';
import { Far, useProgress } from './Progress';
import { RefreshMany, useRefreshMany } from './RefreshMany';
import { RemoveMany } from './RemoveMany';
import { SelectAll } from './SelectAll';
import type { Selection } from './selection';
import { UnregisterMany } from './UnregisterMany';

/** How many the API edits at once. */
const mostEdited = 200;

interface Props {
  /** What the list has read. */
  items: Entity[];
  filter: EntityFilter;
  /** How many match. */
  total: number;
  selection: Selection;
  starred: ReadonlySet<string>;
}

/** What can be done with the rows that are selected. */
export function Bulk({ items, filter, total, selection, starred }: Props) {
  const { selected, beyond, clear } = selection;
  const [what, setWhat] = useState<What | 'remove' | 'unregister'>();
  const { done, track, stop } = useProgress();
  const star = useStarMany(track);
  const refresh = useRefreshMany(track);
  const entities = useMemo(() => {
    const all = new Map<string, Placed>([...beyond, ...items].map((e) => [e.ref, e]));
    return [...selected].flatMap((ref) => all.get(ref) ?? []);
  }, [selected, beyond, items]);
  if (selected.size === 0) return null;
  const refs = [...selected];
  const stars = refs.every((ref) => starred.has(ref));
  const fresh = refs.filter((ref) => !starred.has(ref));
  const busy = star.isPending || refresh.isPending;
  const manyToEdit = refs.length > mostEdited;
  const manyToStar = !stars && starred.size + fresh.length > mostStars && !star.isPending;
  const every = items.every((e) => selected.has(e.ref));
  const close = (did: boolean) => {
    setWhat(undefined);
    if (did) clear();
  };
  const edit = (label: string, begin: What) => (
    <Button size="xs" variant="default" disabled={manyToEdit || busy} onClick={() => setWhat(begin)}>
      {label}
    </Button>
  );
  const limits = [
    manyToEdit && `at most ${mostEdited} are changed at once`,
    manyToStar && `at most ${mostStars.toLocaleString('en')} stars are kept`,
  ].filter(Boolean);
  return (
    <section className={classes.bulk} aria-label="Selected entities">
      <Text size="sm" fw={500} style={{ fontVariantNumeric: 'tabular-nums' }}>
        {selected.size.toLocaleString('en')} selected
      </Text>
      <SelectAll filter={filter} total={total} selection={selection} offered={every} />
      {edit('Change owner', 'owner')}
      {edit('Add tags', 'addTags')}
      {edit('More changes', 'lifecycle')}
      <Button
        size="xs"
        variant="default"
        miw={116}
        disabled={manyToStar || busy}
        onClick={() => star.mutate({ refs: stars ? refs : fresh, on: !stars })}
      >
        {stars ? 'Take the stars' : 'Star'}
      </Button>
      <Button size="xs" variant="default" disabled={busy} onClick={() => refresh.mutate(entities)}>
        Refresh
      </Button>
      <Button size="xs" variant="default" color="red" disabled={busy} onClick={() => setWhat('unregister')}>
        Unregister
      </Button>
      <Button size="xs" variant="default" color="red" disabled={busy} onClick={() => setWhat('remove')}>
        Delete
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={clear}>
        Select none
      </Button>
      {limits.length > 0 && (
        <Text size="sm" c="dimmed" style={{ flexBasis: '100%' }}>
          {limits.join('; ')}
        </Text>
      )}
      {star.isPending && star.variables && (
        <Far
          what={star.variables.on ? 'Starred' : 'Stars taken'}
          done={done}
          of={star.variables.refs.length}
          stop={stop}
        />
      )}
      {refresh.isPending && <Far what="Locations read" done={done} of={refresh.total} stop={stop} />}
      {star.data && star.data.length > 0 && (
        <Modal opened onClose={star.reset} title="Stars" centered>
          <Stack>
            <Text size="sm" role="status">
              {counted(star.data.length, 'star')} could not be {star.variables.on ? 'given' : 'taken'}.
            </Text>
            <Names items={star.data.map(({ item, why }) => ({ key: item, text: `${item}: ${why}` }))} />
            <Group justify="flex-end">
              <Button onClick={star.reset}>Done</Button>
            </Group>
          </Stack>
        </Modal>
      )}
      {refresh.data && <RefreshMany done={refresh.data} close={() => refresh.reset()} />}
      {what === 'unregister' && <UnregisterMany entities={entities} close={close} />}
      {what === 'remove' && <RemoveMany refs={refs} close={close} />}
      {what && what !== 'remove' && what !== 'unregister' && (
        <BulkEdit refs={refs} begin={what} close={() => setWhat(undefined)} />
      )}
    </section>
  );
}
