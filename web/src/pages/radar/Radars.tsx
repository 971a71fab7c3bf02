import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { radars } from '../../api/insight';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';

/** The technology radars that there are. */
export function Radars() {
  const query = useInfiniteQuery(radars);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Technology radar"
      query={query}
      about="Which technologies the company takes up, tries and leaves"
      actions={<CopyCommand command="roadbed radar list" />}
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No radar yet"
            action={
              <Button component={Link} to="/declare">
                Declare one
              </Button>
            }
          >
            A document of the kind TechRadar has four quadrants, some rings, and entries in them.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Radars"
            rows={items}
            id={(r) => r.ref}
            columns={[
              {
                name: 'Radar',
                cell: (r) => (
                  <Link to="/radars/$namespace/$name" params={{ namespace: r.namespace, name: r.name }}>
                    {r.title || r.name}
                  </Link>
                ),
              },
              { name: 'About', wide: true, cell: (r) => r.description },
              { name: 'Entries', right: true, width: 100, cell: (r) => r.entries.length },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
