import { Anchor, Code, Skeleton } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Stack } from '../../api/types';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { refPath, shortRef } from '../../words/ref';
import { drawnOf } from './neighbours';

const Graph = lazy(() => import('../../graph/Graph'));

/** What a stack depends on, and what depends on it, drawn in the order in which they run; nothing where it stands alone. */
export function Neighbours({ stack }: { stack: Stack }) {
  const navigate = useNavigate();
  const rows = [
    ...(stack.dependsOn ?? []).map((n) => ({ ...n, side: 'goes before', giver: shortRef(n.stack) })),
    ...(stack.dependents ?? []).map((n) => ({ ...n, side: 'goes after', giver: stack.name })),
  ];
  if (rows.length === 0) return null;
  const { nodes, edges } = drawnOf(stack);
  return (
    <Section
      title="Dependencies"
      flush
      actions={
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/graph" search={{ root: stack.ref, relations: 'dependsOn', depth: '3' }} {...props} />
          )}
        >
          The whole graph
        </Anchor>
      }
    >
      <Suspense fallback={<Skeleton height={200} />}>
        <Graph
          label={`What goes before and after ${stack.name}`}
          nodes={nodes}
          edges={edges}
          chosen={stack.ref}
          onChoose={(to) => void navigate({ to: refPath(to) ?? '/infrastructure' })}
        />
      </Suspense>
      <Table
        label="Dependencies"
        rows={rows}
        id={(n) => `${n.side} ${n.stack}`}
        columns={[
          { name: 'Stack', cell: (n) => <RefLink to={n.stack} /> },
          { name: 'Order', width: 120, cell: (n) => n.side },
          {
            name: 'Outputs that are used',
            wide: true,
            cell: (n) =>
              n.outputs.length === 0
                ? 'none; it is the order alone'
                : n.outputs.map((use) => (
                    <div key={use.as}>
                      {use.output} as <Code>{use.as}</Code>
                    </div>
                  )),
          },
          {
            name: 'Up to date',
            width: 120,
            cell: (n) => (n.unused ? <span title={`${n.giver} has given something newer since`}>not yet</span> : 'yes'),
          },
        ]}
      />
    </Section>
  );
}
