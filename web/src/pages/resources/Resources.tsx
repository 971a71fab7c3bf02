import { Anchor, Button, Checkbox, Group, Select, Text } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { spaces } from '../../api/queries';
import { resources } from '../../api/states';
import type { Resource } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { type Column, Table } from '../../parts/Table';
import { Drift } from './Drift';
import { command, type ResourceSearch } from './filter';

const ResourceDrawer = lazy(() => import('./ResourceDrawer'));
const route = getRouteApi('/shell/infrastructure/resources');

const idOf = (r: Resource) => `${r.stack} ${r.address}`;

const columns = (open: (r: Resource) => void): Column<Resource>[] => [
  {
    name: 'Resource',
    cell: (r) => (
      <div style={{ overflowWrap: 'anywhere' }}>
        <Anchor component="button" type="button" size="sm" ff="monospace" ta="left" onClick={() => open(r)}>
          {r.address}
        </Anchor>
        <Text size="xs" c="dimmed">
          {r.identity}
        </Text>
      </div>
    ),
  },
  {
    name: 'Stack',
    width: 170,
    cell: (r) => (
      <>
        <RefLink to={r.stack} />
        {r.orphan && (
          <Text size="xs" c="dimmed">
            its document is deleted
          </Text>
        )}
      </>
    ),
  },
  { name: 'Owner', width: 140, cell: (r) => <RefLink to={r.owner} /> },
  { name: 'Drift', width: 130, cell: (r) => <Drift resource={r} /> },
  { name: 'Provider', wide: true, width: 160, cell: (r) => r.provider },
  { name: 'Age', wide: true, right: true, width: 110, cell: (r) => <Moment at={r.firstSeen} /> },
  {
    name: 'Last change',
    wide: true,
    right: true,
    width: 150,
    cell: (r) => (
      <>
        <Moment at={r.changed} />
        <Text size="xs" c="dimmed" component="div">
          {r.run ? <RefLink to={r.run} /> : `by ${r.actor.name}`}
        </Text>
      </>
    ),
  },
];

export function Resources() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { orphan, drifted, show, ...words } = search;
  const query = useInfiniteQuery(
    resources({ ...words, orphan: orphan === 'true' || undefined, drifted: drifted === 'true' || undefined }),
  );
  const known = useQuery(spaces).data?.items ?? [];
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const narrowed = Boolean(orphan || drifted) || Object.values(words).some(Boolean);
  const set = (name: keyof ResourceSearch) => (value?: string | null) =>
    navigate({ search: (s) => ({ ...s, [name]: value || undefined }), replace: true });
  const turn = (name: keyof ResourceSearch) => (e: { currentTarget: { checked: boolean } }) =>
    set(name)(e.currentTarget.checked ? 'true' : undefined);
  return (
    <Page
      title="Resources"
      query={query}
      about="What is under management in the newest states of all stacks: whose it is, how old, whether it has drifted, and what changed it."
      actions={
        <>
          <CopyCommand command={command(search)} />
          <Button component={Link} to="/infrastructure" variant="default">
            Stacks
          </Button>
        </>
      }
    >
      <Group gap="xs" align="flex-end">
        <FilterText
          aria-label="Address, id, ARN or name"
          leftSection={<IconSearch size={14} aria-hidden />}
          placeholder="Address, id, ARN or name"
          style={{ flex: 1, minWidth: 170 }}
          value={search.text}
          set={set('text')}
        />
        <FilterText aria-label="Type" placeholder="Type: aws_s3_bucket" w={150} value={search.type} set={set('type')} />
        <FilterText aria-label="Owner" placeholder="Owner: crew" w={150} value={search.owner} set={set('owner')} />
        <FilterText aria-label="Stack" placeholder="Stack" w={100} value={search.stack} set={set('stack')} />
        <FilterText
          aria-label="Provider"
          placeholder="Provider"
          w={105}
          value={search.provider}
          set={set('provider')}
        />
        <Select
          aria-label="Space"
          placeholder="Any space"
          clearable
          searchable
          data={known.map((s) => s.name)}
          value={search.space ?? null}
          onChange={set('space')}
          w={115}
        />
        <Checkbox pb={8} label="Drifted" checked={drifted === 'true'} onChange={turn('drifted')} />
        <Checkbox pb={8} label="Stack deleted" checked={orphan === 'true'} onChange={turn('orphan')} />
      </Group>
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && <None narrowed={narrowed} />}
        {items.length > 0 && (
          <Table label="Resources" rows={items} id={idOf} columns={columns((r) => set('show')(idOf(r)))} />
        )}
        <More query={query} />
      </Section>
      {show && (
        <Suspense>
          <ResourceDrawer show={show} known={items.find((r) => idOf(r) === show)} close={() => set('show')()} />
        </Suspense>
      )}
    </Page>
  );
}

function None({ narrowed }: { narrowed: boolean }) {
  if (narrowed) {
    return (
      <Empty
        title="No resource is like that"
        action={
          <Button component={Link} to="/infrastructure/resources" variant="default">
            Show all
          </Button>
        }
      >
        Nothing in the states that you may see matches. It may have been made by hand, or by something that keeps its
        state elsewhere.
      </Empty>
    );
  }
  return (
    <Empty
      title="Nothing is under management yet"
      action={
        <Button component={Link} to="/infrastructure">
          To the stacks
        </Button>
      }
    >
      What a stack applies shows here. A state from elsewhere is brought in with roadbed state push.
    </Empty>
  );
}
