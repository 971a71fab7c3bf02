import { Anchor, Select } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { findings, metrics } from '../../api/insight';
import type { Entity, Severity } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import classes from './scorecards.module.css';
import { found, measure } from './severity';

/** What outside systems tell of an entity: nothing where they tell nothing. */
export function Facts({ entity }: { entity: Entity }) {
  return (
    <>
      <Metrics entity={entity} />
      <Findings entity={entity} />
    </>
  );
}

function Metrics({ entity }: { entity: Entity }) {
  const query = useQuery(metrics(entity.kind, entity.namespace, entity.name));
  const items = query.data?.items ?? [];
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (items.length === 0) return null;
  return (
    <Section title="Metrics" flush>
      <Table
        label="Metrics"
        rows={items}
        id={(m) => m.name}
        columns={[
          { name: 'Metric', cell: (m) => (m.url ? <Outside to={m.url}>{m.name}</Outside> : m.name) },
          { name: 'Value', right: true, width: 180, cell: (m) => measure(m.value, m.unit) },
          { name: 'Measured', right: true, width: 140, cell: (m) => <Moment at={m.at} /> },
        ]}
      />
    </Section>
  );
}

function Findings({ entity }: { entity: Entity }) {
  const [severity, choose] = useState<Severity>();
  const query = useInfiniteQuery(findings(entity.kind, entity.namespace, entity.name, severity));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const counts = found(query.data?.pages[0]?.counts ?? {});
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (counts.length === 0) return null;
  return (
    <Section
      title={`Findings: ${counts.map((c) => `${c.count.toLocaleString('en')} ${c.severity}`).join(', ')}`}
      flush
      actions={
        <Select
          w={170}
          aria-label="severity"
          placeholder="Any severity"
          clearable
          data={counts.map((c) => c.severity)}
          value={severity ?? null}
          onChange={(next) => choose((next as Severity) ?? undefined)}
        />
      }
    >
      {items.length === 0 && <Empty title="Nothing of that severity" />}
      {items.length > 0 && (
        <Table
          label="Findings"
          rows={items}
          id={(f) => `${f.source} ${f.id}`}
          columns={[
            {
              name: 'Severity',
              width: 110,
              cell: (f) => (
                <span>
                  <span className={classes.severity} data-severity={f.severity} aria-hidden />
                  {f.severity}
                </span>
              ),
            },
            { name: 'Finding', cell: (f) => (f.url ? <Outside to={f.url}>{f.title}</Outside> : f.title) },
            { name: 'Source', width: 140, wide: true, cell: (f) => f.source },
            { name: 'Found', right: true, width: 140, wide: true, cell: (f) => <Moment at={f.at} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

/** A link out of the portal, to what an outside system has named. */
function Outside({ to, children }: { to: string; children: string }) {
  return (
    <Anchor size="sm" href={to} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </Anchor>
  );
}
