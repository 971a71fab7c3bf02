import { Button, Group, Progress, Text } from '@mantine/core';
import { useCallback, useRef, useState } from 'react';
import type { Track } from '../../api/each';

/** How far something with many is. It can be stopped between two of them. */
export function useProgress() {
  const [done, setDone] = useState(0);
  const now = useRef<AbortController>(undefined);
  const track: Track = useCallback(() => {
    now.current = new AbortController();
    setDone(0);
    return { told: setDone, signal: now.current.signal };
  }, []);
  return { done, track, stop: useCallback(() => now.current?.abort(), []) };
}

/** "400 of 1,200", and a way to stop it. */
export function Far({ what, done, of, stop }: { what: string; done: number; of: number; stop: () => void }) {
  const text = `${done.toLocaleString('en')} of ${of.toLocaleString('en')}`;
  return (
    <Group gap="sm" wrap="nowrap">
      <Text size="sm" style={{ whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' }}>
        {what}: {text}
      </Text>
      <Progress.Root style={{ flex: '1 1 80px', minWidth: 40 }}>
        <Progress.Section value={(100 * done) / Math.max(1, of)} aria-label={what} aria-valuetext={text} />
      </Progress.Root>
      <Button size="compact-xs" variant="default" onClick={stop}>
        Stop
      </Button>
    </Group>
  );
}
