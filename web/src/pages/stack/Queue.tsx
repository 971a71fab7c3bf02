import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { stackQueue } from '../../api/queries';
import type { QueuedRun, Stack } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

function place({ holds, wait, run }: QueuedRun): string {
  if (holds) return 'holds the stack';
  const at = wait?.position ? `${wait.position} of ${wait.queued}` : 'holds nothing up';
  return run.prioritized ? `${at}, prioritized` : at;
}

/** What is under way of a stack, and what waits for what; nothing when all is quiet. */
export function Queue({ stack }: { stack: Stack }) {
  const queue = useQuery(stackQueue(stack.namespace, stack.name));
  const items = queue.data?.items ?? [];
  if (items.length === 0) return null;
  const holder = items.find((q) => q.holds)?.run.id;
  return (
    <Section title="Queue" flush>
      <Table
        label={`Queue of ${stack.name}`}
        rows={items}
        id={(q) => q.run.id}
        columns={[
          {
            name: 'Run',
            cell: (q) => (
              <Anchor
                size="sm"
                renderRoot={(props) => <Link to="/runs/$id" params={{ id: q.run.id }} {...props} />}
                title={q.run.id}
              >
                {q.run.title}
              </Anchor>
            ),
          },
          { name: 'By', wide: true, width: 160, cell: (q) => q.run.actor.name },
          { name: 'Begun', wide: true, width: 130, cell: (q) => <Moment at={q.run.created} /> },
          { name: 'State', width: 180, cell: (q) => <State state={q.run.state} /> },
          { name: 'Place', width: 170, cell: place },
          {
            name: 'Waits for',
            wide: true,
            cell: ({ wait }) => {
              if (!wait?.behind) return wait?.reason ?? '';
              return wait.behind === holder ? 'the run that holds it' : <RefLink to={wait.behind} />;
            },
          },
        ]}
      />
    </Section>
  );
}
