import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { repositories } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { Table } from '../../parts/Table';

export function Repositories() {
  const query = useInfiniteQuery(repositories);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Repositories"
      query={query}
      about="Git repositories that are hosted here."
      actions={<CopyCommand command="roadbed repo list" />}
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No repository yet"
            action={
              <Button component={Link} to="/create">
                Start from a golden path
              </Button>
            }
          >
            A golden path makes one, with its pipeline and all that it needs.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Repositories"
            rows={items}
            id={(r) => r.id}
            columns={[
              { name: 'Name', cell: (r) => <RepositoryLink name={`${r.namespace}/${r.name}`} /> },
              { name: 'Description', wide: true, cell: (r) => r.description },
              { name: 'Space', wide: true, width: 160, cell: (r) => r.space },
              { name: 'Branch', wide: true, width: 120, cell: (r) => r.defaultBranch },
              { name: 'Pushed', right: true, width: 130, cell: (r) => (r.pushed ? <Moment at={r.pushed} /> : 'never') },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
