import { Group, Skeleton, Text } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Entity } from '../../api/types';
import { Empty, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { parseRef, plain, refPath, shortRef } from '../../words/ref';

const Graph = lazy(() => import('../../graph/Graph'));

/** How many relations are drawn; the list holds all. */
const drawn = 40;

/** What an entity is related to, now or at a time. */
export function Relations({ entity, asOf }: { entity: Entity; asOf?: string }) {
  const navigate = useNavigate();
  if (entity.relations.length === 0) {
    return (
      <Section>
        <Empty title="No relations">
          Nothing refers to it, and it refers to nothing. An owner, a system or dependencies in its document make
          relations.
        </Empty>
      </Section>
    );
  }
  const near = entity.relations.slice(0, drawn);
  const targets = [...new Set(near.map((r) => r.target))].filter((t) => t !== entity.ref);
  return (
    <div style={{ display: 'grid', gap: 24, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <Section
        title="Graph"
        flush
        actions={
          <Group gap="md" fz="sm">
            <Link to="/graph" search={{ root: entity.ref, view: 'impact', asOf }}>
              What depends on it
            </Link>
            <Link to="/graph" search={{ root: entity.ref, depth: '2', asOf }}>
              Open in the graph
            </Link>
          </Group>
        }
      >
        <Suspense fallback={<Skeleton height={280} />}>
          <Graph
            label={`Relations of ${entity.name}`}
            nodes={[
              { id: entity.ref, label: entity.title || entity.name, note: entity.kind },
              ...targets.map((t) => ({ id: t, label: shortRef(t), note: parseRef(t)?.kind, open: t })),
            ]}
            edges={targets.map((t) => ({
              from: entity.ref,
              to: t,
              label: near
                .filter((r) => r.target === t)
                .map((r) => plain(r.type))
                .join(', '),
            }))}
            chosen={entity.ref}
            onChoose={(t) => void navigate({ to: refPath(t) ?? '/catalog', search: asOf ? { asOf } : undefined })}
          />
        </Suspense>
      </Section>
      <Section title="List" flush>
        {entity.cut && (
          <Text size="sm" c="dimmed" p="sm">
            {asOf
              ? 'The catalog of then is large: others may have had more relations to it than these.'
              : 'Others have more relations to it than these.'}
          </Text>
        )}
        <Table
          label="Relations"
          rows={entity.relations}
          id={(r) => `${r.type} ${r.target}`}
          columns={[
            { name: 'Relation', width: 200, cell: (r) => plain(r.type) },
            { name: 'Kind', width: 160, cell: (r) => parseRef(r.target)?.kind },
            { name: 'Entity', cell: (r) => <RefLink to={r.target} asOf={asOf} missing={r.missing} /> },
          ]}
        />
      </Section>
    </div>
  );
}
