import { useInfiniteQuery } from '@tanstack/react-query';
import type { ComponentProps, ReactNode } from 'react';
import { type RunFilter, runs } from '../api/queries';
import { Failure } from './Failure';
import { More } from './More';
import { Empty, Rows } from './Page';
import { RunTable } from './RunTable';
import { Stale } from './Stale';

interface Props {
  filter: RunFilter;
  label: string;
  /** What is said when there are none. */
  none?: string;
  /** What is shown instead of that. */
  otherwise?: ReactNode;
  limit?: number;
  selection?: ComponentProps<typeof RunTable>['selection'];
}

export function RunsOf({
  filter,
  label,
  none = 'Whatever the platform does shows here: a push, a plan, a sync, a golden path.',
  otherwise,
  limit,
  selection,
}: Props) {
  const query = useInfiniteQuery(runs(filter, limit));
  if (query.isPending) return <Rows />;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const items = query.data.pages.flatMap((p) => p.items);
  if (items.length === 0 && otherwise) return <>{otherwise}</>;
  if (items.length === 0) return <Empty title="No runs">{none}</Empty>;
  return (
    <>
      <Stale query={query} />
      <RunTable label={label} runs={items} ofOne={filter.subject?.startsWith('stack:')} selection={selection} />
      <More query={query} />
    </>
  );
}
