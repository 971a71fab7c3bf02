import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { contexts } from '../../api/contexts';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { Labels } from './Labels';

export function Contexts() {
  const query = useInfiniteQuery(contexts);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Contexts"
      query={query}
      about="Variables, files and hooks that the runs of many stacks are given."
      actions={<CopyCommand command="roadbed contexts" />}
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No context yet"
            action={
              <Button component={Link} to="/declare">
                Declare one
              </Button>
            }
          >
            Apply a document of the kind Context, with a label such as autoattach:eu: the stacks that have the label eu
            get what it gives.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Contexts"
            rows={items}
            id={(c) => c.ref}
            columns={[
              { name: 'Name', cell: (c) => <RefLink to={c.ref} /> },
              { name: 'Labels', cell: (c) => <Labels labels={c.labels} /> },
              { name: 'Priority', wide: true, right: true, width: 100, cell: (c) => c.priority },
              { name: 'Space', wide: true, width: 140, cell: (c) => c.space },
              { name: 'What for', wide: true, cell: (c) => c.description },
              { name: 'Changed', right: true, width: 130, cell: (c) => <Moment at={c.updated} /> },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
