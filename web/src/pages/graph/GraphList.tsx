import { Button } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { EntityGraph } from '../../api/types';
import { Empty } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { matching, wayTo } from './shape';

const route = getRouteApi('/shell/graph');

/** The graph as a table: who can't see the picture reads the same here, and the way to each. */
export function GraphList({ graph, kinds, find }: { graph: EntityGraph; kinds?: string[]; find: string }) {
  const { view, asOf } = route.useSearch();
  const [most, setMost] = useState(200);
  const rows = matching(graph, find).filter((n) => !kinds || kinds.includes(n.kind));
  return (
    <>
      {rows.length === 0 && <Empty title="Nothing of this graph matches">Try fewer words, or more kinds.</Empty>}
      {rows.length > 0 && (
        <Table
          label="Entities of the graph"
          rows={rows.slice(0, most)}
          id={(n) => n.ref}
          columns={[
            { name: 'Steps', width: 70, cell: (n) => n.depth },
            { name: 'Entity', cell: (n) => <RefLink to={n.ref} asOf={asOf} /> },
            { name: 'Kind', width: 120, cell: (n) => n.kind },
            { name: 'By', wide: true, cell: (n) => wayTo(graph, n.ref) },
            {
              name: 'From there',
              width: 90,
              cell: (n) => (
                <Link to="/graph" search={{ root: n.ref, view, asOf }} aria-label={`Graph of ${n.ref}`}>
                  Graph
                </Link>
              ),
            },
          ]}
        />
      )}
      {rows.length > most && (
        <Button m="sm" variant="default" onClick={() => setMost(most + 500)}>
          More
        </Button>
      )}
    </>
  );
}
