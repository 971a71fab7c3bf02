import { useInfiniteQuery } from '@tanstack/react-query';
import { commits } from '../../api/queries';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';

/** The commits of the default branch, the newest first. */
export function Commits({ repo, head }: { repo: Repository; head: string }) {
  const query = useInfiniteQuery(commits(repo.namespace, repo.name, head));
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
