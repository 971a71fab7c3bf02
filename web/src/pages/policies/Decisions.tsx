import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type DecisionFilter, decisions } from '../../api/policies';
import type { Decision } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { gravest } from '../run/Review';
import { inOneLine } from './words';

/** Recorded decisions, the newest first. */
export function Decisions({ filter, title }: { filter: DecisionFilter; title: string }) {
  const query = useInfiniteQuery(decisions(filter));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  return (
    <Section title={title} flush>
      {query.isPending && <Rows count={3} />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="Nothing was decided yet">
          Policies are asked when something is done: a stack is planned, a push arrives, somebody signs in.
        </Empty>
      )}
      {items.length > 0 && <DecisionTable label={title} items={items} />}
      <More query={query} />
    </Section>
  );
}

export function DecisionTable({ label, items }: { label: string; items: Decision[] }) {
  return (
    <Table
      label={label}
      rows={items}
      id={(d) => d.id}
      columns={[
        { name: 'Outcome', width: 130, cell: (d) => <State state={gravest(d.outcome)} bare of="verdict" /> },
        { name: 'Said', cell: (d) => <DecisionLink id={d.id} text={inOneLine(d.outcome)} /> },
        { name: 'Point', width: 120, wide: true, cell: (d) => d.point },
        {
          name: 'About',
          width: 170,
          wide: true,
          cell: (d) => d.who?.name || (d.subject ? <RefLink to={d.subject} /> : null),
        },
        { name: 'When', right: true, width: 130, cell: (d) => <Moment at={d.time} /> },
      ]}
    />
  );
}

export function DecisionLink({ id, text }: { id: string; text: string }) {
  return (
    <Anchor
      size="sm"
      style={{ overflowWrap: 'anywhere' }}
      renderRoot={(props) => <Link to="/decisions/$id" params={{ id }} {...props} />}
    >
      {text.length > 160 ? `${text.slice(0, 160)}…` : text}
    </Anchor>
  );
}
