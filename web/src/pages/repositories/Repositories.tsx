import { Button, Checkbox, Group, SegmentedControl, Select } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { repositories, spaces } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Connect } from './Connect';
import { Deleted } from './Deleted';
import { Home } from './Home';
import { Import } from './Import';

const route = getRouteApi('/shell/repositories');

export function Repositories() {
  const { text, space, archived, sort, creator } = route.useSearch();
  const navigate = route.useNavigate();
  const pushed = sort !== 'name';
  const query = useInfiniteQuery(
    repositories({
      text,
      space,
      creator,
      archived: archived === 'true' ? 'true' : archived === 'all' ? undefined : 'false',
      sort: pushed ? 'pushed' : 'name',
    }),
  );
  const known = useQuery(spaces).data?.items ?? [];
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const set = (name: 'text' | 'space' | 'archived' | 'sort' | 'creator') => (value?: string | null) =>
    navigate({ search: (s) => ({ ...s, [name]: value || undefined }), replace: true });
  const [connecting, setConnecting] = useState(false);
  const [opened, setOpened] = useState<'import' | 'deleted'>();
  const narrowed = Boolean(text || space || archived || creator);
  return (
    <Page
      title="Repositories"
      query={query}
      about="Git repositories, hosted here or at a forge."
      actions={
        <>
          <CopyCommand command="roadbed repo list" />
          <Button variant="subtle" color="gray" onClick={() => setOpened('deleted')}>
            Deleted
          </Button>
          <Button variant="default" onClick={() => setOpened('import')}>
            Import
          </Button>
          <Button variant="default" onClick={() => setConnecting(true)}>
            Connect
          </Button>
        </>
      }
    >
      {opened === 'import' && <Import close={() => setOpened(undefined)} />}
      {opened === 'deleted' && <Deleted close={() => setOpened(undefined)} />}
      {connecting && <Connect close={() => setConnecting(false)} />}
      <Group gap="xs">
        <FilterText
          aria-label="Name or description"
          placeholder="Name or description"
          value={text}
          set={set('text')}
          w={240}
        />
        <Select
          aria-label="Space"
          placeholder="Any space"
          clearable
          searchable
          data={known.map((s) => s.name)}
          value={space ?? null}
          onChange={set('space')}
          w={170}
        />
        <SegmentedControl
          aria-label="Order"
          size="xs"
          value={pushed ? 'pushed' : 'name'}
          onChange={(value) => set('sort')(value === 'name' ? 'name' : undefined)}
          data={[
            { value: 'pushed', label: 'Last pushed' },
            { value: 'name', label: 'By name' },
          ]}
        />
        <SegmentedControl
          aria-label="Which"
          size="xs"
          value={archived ?? 'false'}
          onChange={(value) => set('archived')(value === 'false' ? undefined : value)}
          data={[
            { value: 'false', label: 'In use' },
            { value: 'true', label: 'Archived' },
            { value: 'all', label: 'All' },
          ]}
        />
        <Checkbox
          label="Made by me"
          checked={creator === 'me'}
          onChange={(e) => set('creator')(e.currentTarget.checked ? 'me' : undefined)}
        />
      </Group>
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess &&
          items.length === 0 &&
          (narrowed ? (
            <Empty
              title="No repository is like that"
              action={
                <Button component={Link} to="/repositories" variant="default">
                  Show all in use
                </Button>
              }
            >
              Look with fewer words, in any space, or among those that are archived.
            </Empty>
          ) : (
            <Empty
              title="No repository yet"
              action={
                <Button component={Link} to="/create">
                  Start from a golden path
                </Button>
              }
            >
              A golden path makes one, with its pipeline and all that it needs. An empty one is made by: roadbed repo
              create NAMESPACE/NAME
            </Empty>
          ))}
        {items.length > 0 && (
          <Table
            label="Repositories"
            rows={items}
            id={(r) => r.id}
            columns={[
              {
                name: 'Name',
                cell: (r) => (
                  <Group gap="xs">
                    <RepositoryLink name={`${r.namespace}/${r.name}`} />
                    {r.archived && <State state="archived" bare />}
                  </Group>
                ),
              },
              { name: 'Description', wide: true, cell: (r) => r.description },
              { name: 'Lives at', wide: true, width: 190, cell: (r) => <Home repo={r} /> },
              { name: 'Space', wide: true, width: 160, cell: (r) => r.space },
              { name: 'Pushed', right: true, width: 130, cell: (r) => (r.pushed ? <Moment at={r.pushed} /> : 'never') },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
