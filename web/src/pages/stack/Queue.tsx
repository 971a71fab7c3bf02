import { useQuery } from '@tanstack/react-query';
import { stackQueue } from '../../api/queries';
import type { QueuedRun, Stack } from '../../api/types';
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
  return (
    <Section title="Queue" flush>
      <Table
        label={`Queue of ${stack.name}`}
        rows={items}
        id={(q) => q.run.id}
        columns={[
          { name: 'Run', cell: (q) => <RefLink to={q.run.id} /> },
          { name: 'What', wide: true, cell: (q) => q.run.title },
          { name: 'State', width: 180, cell: (q) => <State state={q.run.state} /> },
          { name: 'Place', width: 170, cell: place },
          {
            name: 'Waits for',
            wide: true,
            cell: (q) => (q.wait?.behind ? <RefLink to={q.wait.behind} /> : (q.wait?.reason ?? '')),
          },
        ]}
      />
    </Section>
  );
}
