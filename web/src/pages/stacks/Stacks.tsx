import { Button, Checkbox, Group, Select, Text } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { spaces, stackSets, stacks } from '../../api/queries';
import type { Stack } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { type Column, Table } from '../../parts/Table';
import { shortRef } from '../../words/ref';
import { word } from '../../words/status';
import { useSelection } from '../catalog/selection';
import { command, type StackSearch } from './filter';

const StacksMany = lazy(() => import('./StacksMany'));

const route = getRouteApi('/shell/infrastructure');

const states = ['unconfirmed', 'queued', 'planning', 'applying', 'finished', 'failed', 'discarded', 'canceled'];

function Drift({ drift }: { drift: Stack['drift'] }) {
  if (!drift) {
    return (
      <Text size="sm" c="dimmed">
        not looked for
      </Text>
    );
  }
  return drift.found ? <State state="outofsync" said="drifted" /> : <State state="synced" said="none" bare />;
}

const columns: Column<Stack>[] = [
  {
    name: 'Name',
    cell: (s) => (
      <>
        <RefLink to={s.ref} />
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {`${s.repository || 'uploaded'} ${s.path}`}
        </Text>
      </>
    ),
  },
  {
    name: 'State',
    width: 170,
    cell: (s) => (
      <>
        {s.lastRun ? <State state={s.lastRun.state} /> : 'never ran'}
        {s.drift?.found && (
          <div data-narrow>
            <Drift drift={s.drift} />
          </div>
        )}
      </>
    ),
  },
  { name: 'Drift', wide: true, width: 140, cell: (s) => <Drift drift={s.drift} /> },
  { name: 'Queued', wide: true, right: true, width: 90, cell: (s) => s.queued || '' },
  { name: 'Resources', wide: true, right: true, width: 110, cell: (s) => s.state?.resources ?? '' },
  { name: 'Component', wide: true, cell: (s) => (s.component ? <RefLink to={s.component} /> : '') },
  {
    name: 'Last change',
    wide: true,
    right: true,
    width: 140,
    cell: (s) => (s.state ? <Moment at={s.state.created} /> : ''),
  },
];

export function Stacks() {
  const search = route.useSearch();
  const { drifted, queued, ...words } = search;
  const query = useInfiniteQuery(
    stacks({ ...words, drifted: drifted === 'true' || undefined, queued: queued === 'true' || undefined }),
  );
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const narrowed = Object.values(search).some(Boolean);
  const { selected, select, clear } = useSelection(JSON.stringify(search));
  const chosen = items.filter((s) => selected.has(s.ref));
  return (
    <Page
      title="Infrastructure"
      query={query}
      about="Stacks: folders of code that are planned, judged, reviewed and applied."
      actions={
        <>
          <CopyCommand command={command(search)} />
          <Button variant="default" component={Link} to="/contexts">
            Contexts
          </Button>
          <Button component={Link} to="/infrastructure/sets" variant="default">
            Stack sets
          </Button>
          <Button component={Link} to="/infrastructure/resources" variant="default">
            Resources
          </Button>
        </>
      }
    >
      <Filters search={search} />
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && <None narrowed={narrowed} />}
        {items.length > 0 && (
          <Table label="Stacks" rows={items} id={(s) => s.ref} columns={columns} selection={{ selected, select }} />
        )}
        <More query={query} />
      </Section>
      {chosen.length > 0 && (
        <Suspense>
          <StacksMany stacks={chosen} clear={clear} />
        </Suspense>
      )}
    </Page>
  );
}

function Filters({ search }: { search: StackSearch }) {
  const navigate = route.useNavigate();
  const known = useQuery(spaces).data?.items ?? [];
  const sets = useQuery(stackSets).data?.items ?? [];
  const set = (name: keyof StackSearch) => (value?: string | null) =>
    navigate({ search: (s) => ({ ...s, [name]: value || undefined }), replace: true });
  const turn = (name: keyof StackSearch) => (e: { currentTarget: { checked: boolean } }) =>
    set(name)(e.currentTarget.checked ? 'true' : undefined);
  return (
    <Group gap="sm" align="center">
      <FilterText
        aria-label="Name, repository or folder"
        leftSection={<IconSearch size={14} aria-hidden />}
        placeholder="Name, repository or folder"
        style={{ flex: 1, minWidth: 220 }}
        value={search.text}
        set={set('text')}
      />
      <Select
        aria-label="State"
        placeholder="Any state"
        clearable
        w={170}
        data={[...states.map((s) => ({ value: s, label: word(s) })), { value: 'none', label: 'never ran' }]}
        value={search.state ?? null}
        onChange={set('state')}
      />
      <Select
        aria-label="Space"
        placeholder="Any space"
        clearable
        searchable
        w={140}
        data={known.map((s) => s.name)}
        value={search.space ?? null}
        onChange={set('space')}
      />
      {(sets.length > 0 || search.set) && (
        <Select
          aria-label="Stack set"
          placeholder="Any set"
          clearable
          searchable
          w={150}
          data={sets.map((t) => ({ value: `${t.namespace}/${t.name}`, label: shortRef(t.ref) }))}
          value={search.set ?? null}
          onChange={set('set')}
        />
      )}
      <Checkbox label="Drifted" checked={search.drifted === 'true'} onChange={turn('drifted')} />
      <Checkbox label="With a queue" checked={search.queued === 'true'} onChange={turn('queued')} />
    </Group>
  );
}

function None({ narrowed }: { narrowed: boolean }) {
  if (narrowed) {
    return (
      <Empty
        title="No stack is like that"
        action={
          <Button component={Link} to="/infrastructure" variant="default">
            Show all
          </Button>
        }
      >
        None of the stacks that you may see matches all of the filters.
      </Empty>
    );
  }
  return (
    <Empty
      title="No stack yet"
      action={
        <Button component={Link} to="/create">
          Start from a golden path
        </Button>
      }
    >
      A golden path makes one; or declare a Stack whose source is a folder of OpenTofu code, or a StackSet for all
      folders of a repository.
    </Empty>
  );
}
