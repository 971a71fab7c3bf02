import { Button, Group, Stack, Text } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import type { ExternalDependency, RunDetail } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Section } from '../../parts/Page';
import { State } from '../../parts/State';

const MarkDialog = lazy(() => import('./MarkDialog'));

/** What has to be done outside before a run begins, and who said that it is. */
export function External({ run }: { run: RunDetail }) {
  const [marking, setMarking] = useState<string | null>(null);
  const all = run.external ?? [];
  if (all.length === 0) return null;
  const mayMark = run.can.includes('mark');
  return (
    <Section title="Done outside first">
      <Stack gap="sm">
        {all.map((one) => (
          <Group key={one.name} justify="space-between" wrap="nowrap" align="flex-start" mih={30}>
            <Dependency one={one} />
            {mayMark && one.status === 'waiting' && (
              <Button
                size="xs"
                variant="default"
                style={{ flexShrink: 0 }}
                aria-label={`Mark ${one.name}`}
                onClick={() => setMarking(one.name)}
              >
                Mark
              </Button>
            )}
          </Group>
        ))}
      </Stack>
      {marking && (
        <Suspense>
          <MarkDialog run={run.id} space={run.space} name={marking} close={() => setMarking(null)} />
        </Suspense>
      )}
    </Section>
  );
}

function Dependency({ one }: { one: ExternalDependency }) {
  return (
    <div style={{ minWidth: 0 }}>
      <Group gap="xs">
        <State state={one.status} />
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {one.name}
        </Text>
        {one.by && one.marked && (
          <Text size="sm" c="dimmed">
            {one.by.name}, <Moment at={one.marked} />
          </Text>
        )}
      </Group>
      {one.note && (
        <Text size="sm" c="dimmed" mt={4} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {one.note}
        </Text>
      )}
    </div>
  );
}
