import { Alert } from '@mantine/core';
import { IconHourglass } from '@tabler/icons-react';
import type { RunWait } from '../../api/types';
import { RefLink } from '../../parts/RefLink';

/** What a run waits for, and where it is in the queue. */
export function Waits({ wait }: { wait?: RunWait }) {
  if (!wait) return null;
  const place = wait.position ? `${wait.position} of ${wait.queued} in the queue. ` : '';
  return (
    <Alert color="gray" variant="light" p="sm" icon={<IconHourglass aria-hidden />} role="status">
      {place}
      {wait.behind ? (
        <>
          It goes on after <RefLink to={wait.behind} />.
        </>
      ) : (
        `It ${wait.reason || 'waits for the stack'}.`
      )}
    </Alert>
  );
}
