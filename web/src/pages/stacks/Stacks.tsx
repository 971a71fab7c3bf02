import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { stacks } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

export function Stacks() {
  const query = useInfiniteQuery(stacks);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Infrastructure"
      query={query}
      about="Stacks: folders of code that are planned, judged, reviewed and applied."
      actions={
        <>
          <CopyCommand command="roadbed stack list" />
          <Button variant="default" component={Link} to="/contexts">
            Contexts
          </Button>
          <Button component={Link} to="/infrastructure/resources" variant="default">
            Resources
          </Button>
        </>
      }
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No stack yet"
            action={
              <Button component={Link} to="/create">
                Start from a golden path
              </Button>
            }
          >
            A golden path makes one; or declare a Stack whose source is a folder of OpenTofu code.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Stacks"
            rows={items}
            id={(s) => s.ref}
            columns={[
              { name: 'Name', cell: (s) => <RefLink to={s.ref} /> },
              {
                name: 'Last run',
                width: 170,
                cell: (s) => (s.lastRun ? <State state={s.lastRun.state} /> : 'never ran'),
              },
              { name: 'Resources', wide: true, right: true, width: 110, cell: (s) => s.state?.resources ?? '' },
              { name: 'Repository', wide: true, cell: (s) => `${s.repository || 'uploaded'} ${s.path}` },
              { name: 'Component', wide: true, cell: (s) => (s.component ? <RefLink to={s.component} /> : '') },
              {
                name: 'Changed',
                right: true,
                width: 130,
                cell: (s) => (s.state ? <Moment at={s.state.created} /> : ''),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
