import { Alert, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { useUnlock } from '../../api/actions';
import type { Stack } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Moment } from '../../parts/Moment';
import { holderOf } from './lock';

/** Who holds the lock of a stack's state, and for who may, the way to free it. */
export function Lock({ stack, lock }: { stack: Stack; lock: string }) {
  const [asking, setAsking] = useState(false);
  const unlock = useUnlock(stack.namespace, stack.name);
  const { who, since, reason, byHand } = holderOf(lock);
  return (
    <Alert color="gray" variant="light" title="Its state is locked">
      <Group justify="space-between" gap="xs">
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          By {who}
          {since && (
            <>
              , <Moment at={since} />
            </>
          )}
          . {reason && <>“{reason}” </>}
          {byHand
            ? 'Runs of the stack wait in its queue until it is freed.'
            : 'A run that comes to plan waits a minute for it.'}
        </Text>
        {stack.can.includes('unlock') && (
          <Button size="compact-sm" variant="default" onClick={() => setAsking(true)}>
            Unlock
          </Button>
        )}
      </Group>
      {asking && (
        <Ask
          title={`Unlock the state of ${stack.name}`}
          says="Whoever holds the lock may still write the state. Free it only when that engine is surely gone."
          label="Unlock"
          name={stack.name}
          command={`roadbed state unlock ${stack.namespace}/${stack.name} --force`}
          busy={unlock.isPending}
          error={unlock.error}
          close={() => setAsking(false)}
          act={() => unlock.mutate(undefined, { onSuccess: () => setAsking(false) })}
        />
      )}
    </Alert>
  );
}
