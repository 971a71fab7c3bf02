import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import type { Commit } from '../api/types';
import { shortCommit } from '../words/ref';
import { Failure } from './Failure';
import { Moment } from './Moment';
import { More } from './More';
import { Rows, Section } from './Page';
import { Table } from './Table';

/** Commits, the newest first. */
export function CommitTable({ query }: { query: UseInfiniteQueryResult<{ pages: { items: Commit[] }[] }> }) {
  return (
    <Section flush>
      {query.isPending && <Rows />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.data && (
        <Table
          label="Commits"
          rows={query.data.pages.flatMap((p) => p.items)}
          id={(c) => c.hash}
          columns={[
            { name: 'Commit', width: 110, cell: (c) => <code title={c.hash}>{shortCommit(c.hash)}</code> },
            { name: 'Subject', cell: (c) => <span title={c.message}>{c.subject}</span> },
            { name: 'Author', wide: true, width: 200, cell: (c) => c.author },
            { name: 'When', right: true, width: 130, cell: (c) => <Moment at={c.time} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
