import { Button, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { stackStates } from '../../api/queries';
import type { Stack, StateVersion } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { bytes } from '../../words/time';
import { Rollback } from './Rollback';

const route = getRouteApi('/shell/infrastructure/$namespace/$name');

export function States({ stack }: { stack: Stack }) {
  const query = useInfiniteQuery(stackStates(stack.namespace, stack.name));
  const navigate = route.useNavigate();
  const [back, setBack] = useState<StateVersion>();
  const newest = stack.state?.id;
  const compare = (v: StateVersion) =>
    navigate({ search: (s) => ({ ...s, from: undefined, to: String(v.serial) }), replace: true, resetScroll: false });
  return (
    <Section title="Versions of the state" flush>
      {query.isPending && <Rows count={3} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {query.data && (
        <Table
          label="Versions of the state"
          rows={query.data.pages.flatMap((p) => p.items)}
          id={(s) => s.id}
          columns={[
            { name: 'Serial', width: 90, cell: (s) => s.serial },
            { name: 'Resources', wide: true, right: true, width: 110, cell: (s) => s.resources },
            { name: 'Size', wide: true, right: true, width: 110, cell: (s) => bytes(s.size) },
            { name: 'By', wide: true, cell: (s) => s.actor.name },
            { name: 'Run', wide: true, cell: (s) => (s.run ? <RefLink to={s.run} /> : '') },
            { name: 'When', right: true, width: 130, cell: (s) => <Moment at={s.created} /> },
            {
              name: 'Do',
              right: true,
              width: 210,
              cell: (s) => (
                <Group gap={6} justify="flex-end">
                  <Button
                    size="compact-xs"
                    variant="default"
                    onClick={() => compare(s)}
                    aria-label={`What it changed: serial ${s.serial}`}
                  >
                    What it changed
                  </Button>
                  {stack.can.includes('state') && s.id !== newest && (
                    <Button
                      size="compact-xs"
                      variant="default"
                      onClick={() => setBack(s)}
                      aria-label={`Roll back to serial ${s.serial}`}
                    >
                      Roll back
                    </Button>
                  )}
                </Group>
              ),
            },
          ]}
        />
      )}
      <More query={query} />
      {back && <Rollback stack={stack} to={back} close={() => setBack(undefined)} />}
    </Section>
  );
}
