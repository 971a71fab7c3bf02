import { Button } from '@mantine/core';
import { useTryIntegration } from '../../api/actions';
import type { Integration } from '../../api/types';
import { Failure } from '../../parts/Failure';

/** Tries a forge now. What is found shows where its state is. */
export function Try({ integration: i, small }: { integration: Integration; small?: boolean }) {
  const test = useTryIntegration(i.namespace, i.name);
  if (!i.can.includes('test')) return null;
  return (
    <>
      <Button
        size={small ? 'compact-sm' : 'sm'}
        variant={small ? 'default' : 'filled'}
        loading={test.isPending}
        onClick={() => test.mutate()}
        aria-label={`Test ${i.name}`}
      >
        Test
      </Button>
      <Failure error={test.error} title="It was not tried" />
    </>
  );
}
