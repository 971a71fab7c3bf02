import { Anchor, Group, SegmentedControl, Select } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { type Delivery, type DeliveryFilter, deliveries } from '../../api/webhooks';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment, Took } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

const DeliveryDrawer = lazy(() => import('./DeliveryDrawer'));
const route = getRouteApi('/shell/integrations/$namespace/$name/deliveries');

const kinds = ['push', 'proposal', 'comment', 'review', 'check', 'repository', 'ping', 'other'];

/** What a forge sent by its webhooks, and what came of each. */
export function Deliveries() {
  const { namespace, name } = route.useParams();
  const { state, kind, delivery } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: Record<string, string | undefined>) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const filter = { state, kind } as DeliveryFilter;
  const query = useInfiniteQuery(deliveries(namespace, name, filter));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const flags = `${state ? ` --state ${state}` : ''}${kind ? ` --kind ${kind}` : ''}`;
  return (
    <Page
      title="Deliveries"
      query={query}
      about={
        <span>
          What{' '}
          <Anchor
            size="sm"
            underline="always"
            renderRoot={(props) => <Link to="/integrations/$namespace/$name" params={{ namespace, name }} {...props} />}
          >
            {name}
          </Anchor>{' '}
          sent by its webhooks, the newest first.
        </span>
      }
      actions={<CopyCommand command={`roadbed integration deliveries ${namespace}/${name}${flags}`} />}
    >
      <Group gap="sm">
        <SegmentedControl
          aria-label="State"
          value={state ?? ''}
          onChange={(value) => set({ state: value || undefined })}
          data={[
            { value: '', label: 'All' },
            { value: 'received', label: 'Waiting' },
            { value: 'done', label: 'Done' },
            { value: 'ignored', label: 'Ignored' },
            { value: 'failed', label: 'Failed' },
          ]}
        />
        <Select
          aria-label="Kind"
          placeholder="Any kind"
          w={150}
          clearable
          value={kind ?? null}
          onChange={(value) => set({ kind: value ?? undefined })}
          data={kinds}
        />
      </Group>
      <Section flush>
        <Listed
          query={query}
          items={items}
          narrowed={!!(state || kind)}
          open={(d) => set({ delivery: String(d.number) })}
        />
      </Section>
      {delivery && (
        <Suspense>
          <DeliveryDrawer
            namespace={namespace}
            name={name}
            number={Number(delivery)}
            close={() => set({ delivery: undefined })}
          />
        </Suspense>
      )}
    </Page>
  );
}

interface ListedProps {
  query: {
    isPending: boolean;
    isLoadingError: boolean;
    error: unknown;
    refetch: () => unknown;
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => unknown;
  };
  items: Delivery[];
  narrowed: boolean;
  open: (d: Delivery) => void;
}

function Listed({ query, items, narrowed, open }: ListedProps) {
  if (query.isPending) return <Rows />;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (items.length === 0) {
    return (
      <Empty title="No deliveries">
        {narrowed ? 'None is so; ask for all.' : 'The forge has sent nothing that was signed with the secret.'}
      </Empty>
    );
  }
  return (
    <>
      <Table
        label="Deliveries"
        rows={items}
        id={(d) => String(d.number)}
        columns={[
          { name: 'State', width: 120, cell: (d) => <State {...stateOf(d)} bare /> },
          {
            name: 'Event',
            width: 220,
            cell: (d) => (
              <Anchor component="button" type="button" size="sm" ta="left" onClick={() => open(d)}>
                {d.name || d.kind || `delivery ${d.number}`}
              </Anchor>
            ),
          },
          { name: 'Repository', width: 190, cell: (d) => d.repository },
          { name: 'Outcome', wide: true, cell: (d) => d.outcome },
          { name: 'By', wide: true, width: 110, cell: (d) => d.sender },
          {
            name: 'Took',
            wide: true,
            width: 90,
            right: true,
            cell: (d) => <Took started={d.received} ended={d.handled} />,
          },
          { name: 'Came', right: true, width: 130, cell: (d) => <Moment at={d.received} /> },
        ]}
      />
      <More query={query} />
    </>
  );
}

/** How a delivery's state is shown: what is tried again is told apart from what is new. */
export function stateOf(d: Pick<Delivery, 'state' | 'next'>): { state: string; said?: string } {
  switch (d.state) {
    case 'received':
      return { state: 'waiting', said: d.next ? 'tried again' : 'waiting' };
    case 'done':
      return { state: 'succeeded', said: 'done' };
    case 'ignored':
      return { state: 'skipped', said: 'ignored' };
    default:
      return { state: d.state };
  }
}
