import { Anchor, Group } from '@mantine/core';
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { type Column, Table } from '../../parts/Table';

interface Props<T> {
  title: string;
  /** Of the table, where the title says too little. */
  label?: string;
  command: string;
  /** Above the list: what narrows it. */
  filters?: ReactNode;
  /** What there is to do. */
  act?: ReactNode;
  query: UseInfiniteQueryResult<InfiniteData<{ items: T[] }>>;
  /** What there is to say when there are none, and what they are. */
  none: string;
  what: string;
  id: (item: T) => string;
  /** The first column leads to the page of a source. */
  first: { name: string; text: (item: T) => string; link: (item: T, props: object) => ReactNode };
  state: (item: T) => string;
  columns: Column<T>[];
}

/** The sources of one kind. */
export function SourceList<T>({ title, query, first, state, filters, act, ...props }: Props<T>) {
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section
      flush
      title={title}
      actions={
        <Group gap="xs">
          <CopyCommand command={props.command} />
          {act}
        </Group>
      }
    >
      {filters}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && <Empty title={props.none}>{props.what}</Empty>}
      {items.length > 0 && (
        <Table
          label={props.label ?? title}
          rows={items}
          id={props.id}
          columns={[
            {
              name: first.name,
              cell: (item) => (
                <Anchor size="sm" renderRoot={(rest) => first.link(item, rest)}>
                  {first.text(item)}
                </Anchor>
              ),
            },
            { name: 'State', width: 130, cell: (item) => <State state={state(item)} /> },
            ...props.columns,
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
