import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { applications } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';

export function Applications() {
  const query = useInfiniteQuery(applications);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Applications"
      query={query}
      about="What is deployed, and how it fares."
      actions={<CopyCommand command="roadbed app list" />}
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No application yet"
            action={
              <Button component={Link} to="/create">
                Start from a golden path
              </Button>
            }
          >
            A golden path makes one; or declare an Application whose source is a folder of manifests.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Applications"
            rows={items}
            id={(a) => a.ref}
            columns={[
              { name: 'Name', cell: (a) => <RefLink to={a.ref} /> },
              { name: 'Health', width: 140, cell: (a) => <State state={a.health} /> },
              { name: 'Sync', width: 140, cell: (a) => <State state={a.sync} /> },
              { name: 'Message', wide: true, cell: (a) => a.message || a.why },
              { name: 'Destination', wide: true, width: 160, cell: (a) => a.destination },
              { name: 'Revision', wide: true, width: 110, cell: (a) => shortCommit(a.revision ?? '') },
              { name: 'Component', wide: true, cell: (a) => (a.component ? <RefLink to={a.component} /> : '') },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
