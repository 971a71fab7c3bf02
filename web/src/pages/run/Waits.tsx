import { Alert, Anchor } from '@mantine/core';
import { IconHourglass } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { run } from '../../api/queries';
import type { RunWait } from '../../api/types';
import { shortRef } from '../../words/ref';

/** What a run waits for, and where it is in the queue. */
export function Waits({ wait }: { wait?: RunWait }) {
  if (!wait) return null;
  const place = wait.position ? `${wait.position} of ${wait.queued} in the queue. ` : '';
  return (
    <Alert color="gray" variant="light" p="sm" icon={<IconHourglass aria-hidden />} role="status">
      {place}
      {wait.behind ? (
        <>
          It goes on after <Behind id={wait.behind} />.
        </>
      ) : (
        `It ${wait.reason || 'waits for the stack'}.`
      )}
    </Alert>
  );
}

/** The run that goes before, by what it does and whose it is. */
function Behind({ id }: { id: string }) {
  const before = useQuery({ ...run(id), retry: false }).data;
  return (
    <Anchor size="sm" renderRoot={(props) => <Link to="/runs/$id" params={{ id }} {...props} />} title={id}>
      {before ? `${before.title}, by ${before.actor.name}` : shortRef(id)}
    </Anchor>
  );
}
