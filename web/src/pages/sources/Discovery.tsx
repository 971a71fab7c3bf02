import { Alert, Anchor, Group, SegmentedControl, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { discovery, type FoundState, foundRepositories } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Facts, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Look } from './Look';

const route = getRouteApi('/shell/sources/discoveries/$namespace/$name');
const states: FoundState[] = ['registered', 'without', 'excluded', 'pending', 'failed'];

/** One organization: how it does, and what was found. */
export function DiscoveryPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(discovery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const d = query.data;
  if (!d) return <PageSkeleton />;
  const n = d.found;
  return (
    <Page
      title={d.name}
      query={query}
      marks={<State state={d.state} of="state" said={d.state === 'unknown' ? 'is being looked at' : undefined} />}
      about={
        <>
          <span>the organization {d.organization}</span>
          <span>space {d.space}</span>
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed discovery look ${d.namespace}/${d.name}`} />
          <Look discovery={d} />
        </>
      }
    >
      {d.reason && (
        <Alert color={d.state === 'held' || d.state === 'limited' ? 'yellow' : 'red'} variant="light" role="status">
          {d.reason}
        </Alert>
      )}
      <Section title="Found">
        <Facts
          items={[
            ['Repositories', String(n.repositories)],
            ['Registered', String(n.registered)],
            ['Without a file', String(n.without)],
            ['Excluded', String(n.excluded)],
            ['Not asked yet', n.pending > 0 && String(n.pending)],
            ['Failed', n.failed > 0 && String(n.failed)],
            ['Users', n.users > 0 && String(n.users)],
            ['Groups', n.groups > 0 && String(n.groups)],
            ['People not taken', n.wrong > 0 && String(n.wrong)],
            ['Held back', n.held > 0 && String(n.held)],
            ['By', <RefLink key="by" to={`integration:${d.integration}`} />],
            ['Looked', d.looked && <Moment key="looked" at={d.looked} />],
            ['Next look', d.next && <Moment key="next" at={d.next} />],
          ]}
        />
      </Section>
      {d.can.includes('look') && (
        <Found namespace={namespace} name={name} at={`${d.looked}${d.busy}${JSON.stringify(n)}`} />
      )}
      <Text size="sm">
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              to="/catalog/$kind/$namespace/$name"
              params={{ kind: 'discovery', namespace: d.namespace, name: d.name }}
              {...props}
            />
          )}
        >
          Its document and versions
        </Anchor>
      </Text>
    </Page>
  );
}

function Found({ namespace, name, at }: { namespace: string; name: string; at: string }) {
  const { state } = route.useSearch();
  const navigate = route.useNavigate();
  const chosen = states.find((s) => s === state);
  const query = useInfiniteQuery(foundRepositories(namespace, name, chosen, at));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <>
      <Group>
        <SegmentedControl
          aria-label="State"
          value={chosen ?? ''}
          onChange={(value) => navigate({ search: { state: value || undefined }, replace: true })}
          data={[{ value: '', label: 'All' }, ...states.map((s) => ({ value: s, label: s }))]}
          style={{ maxWidth: '100%', overflowX: 'auto' }}
        />
      </Group>
      <Section flush title="Repositories">
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && <Empty title="None">No repository is in this state.</Empty>}
        {items.length > 0 && (
          <Table
            label="Repositories that were found"
            rows={items}
            id={(f) => f.id}
            columns={[
              {
                name: 'At the forge',
                cell: (f) =>
                  f.url?.startsWith('http') ? (
                    <Anchor href={f.url} size="sm" rel="noreferrer">
                      {f.name}
                    </Anchor>
                  ) : (
                    f.name
                  ),
              },
              { name: 'State', width: 140, cell: (f) => <State state={f.state} /> },
              { name: 'Here', wide: true, cell: (f) => f.repository && <RepositoryLink name={f.repository} /> },
              { name: 'Why', wide: true, cell: (f) => f.reason ?? '' },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </>
  );
}
