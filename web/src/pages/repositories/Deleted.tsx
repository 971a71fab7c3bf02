import { Button, Drawer } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { deletedRepositories, useRestore } from '../../api/hosting';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows } from '../../parts/Page';
import { Table } from '../../parts/Table';

/** The repositories that were deleted and can be restored. */
export function Deleted({ close }: { close: () => void }) {
  const query = useInfiniteQuery(deletedRepositories);
  const restore = useRestore();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Drawer opened onClose={close} position="right" size="lg" title="Deleted repositories">
      {query.isPending && <Rows />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Failure error={restore.error} title="It was not restored" />
      {query.isSuccess && items.length === 0 && (
        <Empty title="None">What is deleted can be restored here for some days, by who may delete it.</Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Deleted repositories"
          rows={items}
          id={(r) => r.id}
          columns={[
            { name: 'Name', cell: (r) => `${r.namespace}/${r.name}` },
            { name: 'Deleted', width: 120, cell: (r) => (r.deleted ? <Moment at={r.deleted} /> : '') },
            { name: 'Gone for good', width: 130, cell: (r) => (r.purge ? <Moment at={r.purge} /> : '') },
            {
              name: 'Next',
              right: true,
              width: 110,
              cell: (r) => (
                <Button
                  size="compact-sm"
                  variant="default"
                  loading={restore.isPending && restore.variables.name === r.name}
                  onClick={() => restore.mutate({ namespace: r.namespace, name: r.name })}
                >
                  Restore
                </Button>
              ),
            },
          ]}
        />
      )}
      <More query={query} />
    </Drawer>
  );
}
