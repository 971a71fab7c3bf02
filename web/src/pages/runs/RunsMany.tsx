import { Anchor, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { act } from '../../api/actions';
import type { Run } from '../../api/types';
import { commanded } from '../catalog/Names';
import { verbWords } from '../run/verbs';
import { ManyBar } from './ManyBar';
import { deedsOf } from './many';

/** What can be done with the chosen runs: an ordinary request for each, as it was seen. */
export default function RunsMany({ runs, clear }: { runs: Run[]; clear: () => void }) {
  const byID = new Map(runs.map((r) => [r.id, r]));
  const deeds = deedsOf(runs).map(({ verb, ids }) => ({
    ...verbWords[verb],
    noun: 'run',
    items: ids.flatMap((id) => byID.get(id) ?? []),
    others: runs.length - ids.length,
    key: (r: Run) => r.id,
    name: (r: Run) => (
      <>
        <Anchor component={Link} to={`/runs/${r.id}`} size="sm">
          {r.title}
        </Anchor>{' '}
        <Text span size="xs" c="dimmed">
          {r.reason}
        </Text>
      </>
    ),
    act: (r: Run, note: string) => act(r.id, verb, note, r.version),
    command: ids.length <= commanded ? `roadbed run ${verb} ${ids.join(' ')}` : undefined,
  }));
  return (
    <ManyBar
      label="Selected runs"
      chosen={runs.length}
      deeds={deeds}
      clear={clear}
      none="There is nothing that you can do with them now."
    />
  );
}
