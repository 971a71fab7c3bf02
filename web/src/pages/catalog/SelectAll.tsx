import { Button, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect } from 'react';
import { asProblem } from '../../api/problem';
import type { EntityFilter } from '../../api/queries';
import { Far, useProgress } from './Progress';
import { mostSelected, readAll, type Selection } from './selection';

interface Props {
  filter: EntityFilter;
  /** How many match. */
  total: number;
  selection: Selection;
  /** All rows that were read are selected, so that it may be all that is meant. */
  offered: boolean;
}

/** Selects what matches beyond the rows that were read, as it is at the moment. */
export function SelectAll({ filter, total, selection, offered }: Props) {
  const { done, track, stop } = useProgress();
  const read = useMutation({ mutationFn: () => readAll(filter, track()) });
  useEffect(() => stop, [stop]);
  const most = Math.min(total, mostSelected);
  const { size } = selection.selected;
  if (read.isPending) return <Far what="Selecting" done={done} of={most} stop={stop} />;
  if (!offered) return null;
  return (
    <>
      {size >= total ? null : size >= mostSelected ? (
        <Text size="sm" c="dimmed">
          the first of {total.toLocaleString('en')} that match; more can’t be selected at once
        </Text>
      ) : (
        <Button
          size="compact-sm"
          variant="light"
          onClick={() => read.mutate(undefined, { onSuccess: selection.selectAll })}
        >
          {most < total
            ? `Select the first ${most.toLocaleString('en')} of ${total.toLocaleString('en')} that match`
            : `Select all ${total.toLocaleString('en')} that match`}
        </Button>
      )}
      {read.error && (
        <Text size="sm" role="status">
          {asProblem(read.error).title}: {asProblem(read.error).message}
        </Text>
      )}
    </>
  );
}
