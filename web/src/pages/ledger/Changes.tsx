import { useInfiniteQuery } from '@tanstack/react-query';
import { type LedgerFilter, ledger } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Rows } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { EntryTable } from './EntryTable';

/** Entries of the ledger about something. */
export default function Changes({ filter }: { filter: LedgerFilter }) {
  const query = useInfiniteQuery(ledger(filter));
  if (query.isPending) return <Rows />;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const entries = query.data.pages.flatMap((p) => p.items);
  if (entries.length === 0)
    return <Empty title="No entries">Nothing in the ledger that you may see is like that.</Empty>;
  return (
    <>
      <Stale query={query} />
      <EntryTable entries={entries} />
      <More query={query} />
    </>
  );
}
