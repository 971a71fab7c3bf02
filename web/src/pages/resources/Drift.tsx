import { Group, Text } from '@mantine/core';
import type { Resource } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { State } from '../../parts/State';

const words: Record<NonNullable<Resource['drift']>, string> = {
  create: 'gone',
  update: 'changed',
  replace: 'to replace',
  delete: 'not in the code',
  import: 'to import',
  move: 'to move',
  forget: 'to forget',
};

/** How a resource differs from what was applied, as the newest look found it; dated tells when that was. */
export function Drift({ resource: { drift, looked }, dated }: { resource: Resource; dated?: boolean }) {
  if (!looked) {
    return (
      <Text size="sm" c="dimmed">
        not looked for
      </Text>
    );
  }
  const state = drift ? <State state="outofsync" said={words[drift]} /> : <State state="synced" said="none" bare />;
  if (!dated) return state;
  return (
    <Group gap="xs">
      {state}
      <Text size="sm" c="dimmed" component="span">
        looked at <Moment at={looked} />
      </Text>
    </Group>
  );
}
