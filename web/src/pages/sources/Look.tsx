import { Button } from '@mantine/core';
import { type Discovery, useLook } from '../../api/sources';
import { Failure } from '../../parts/Failure';

/** Has an organization looked at now. */
export function Look({ discovery: d, small }: { discovery: Discovery; small?: boolean }) {
  const look = useLook(d.namespace, d.name);
  if (!d.can.includes('look')) return null;
  return (
    <>
      <Button
        size={small ? 'compact-sm' : 'sm'}
        variant={small ? 'default' : 'filled'}
        loading={look.isPending || d.busy}
        onClick={() => look.mutate()}
        aria-label={`Look now at ${d.name}`}
      >
        Look now
      </Button>
      <Failure error={look.error} title="It was not looked at" />
    </>
  );
}
