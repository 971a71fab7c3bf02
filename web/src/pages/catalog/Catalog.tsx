import { Anchor, Button, Group, Select, Text } from '@mantine/core';
import { IconAlertTriangle, IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type EntityFilter, entities, facet } from '../../api/queries';
import type { Entity } from '../../api/types';
import { AsOf, AsOfBanner } from '../../parts/AsOf';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { type Column, Table } from '../../parts/Table';
import { parseRef, shortRef } from '../../words/ref';

const route = getRouteApi('/shell/catalog');

export function Catalog() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(entities(filter));
  const set = (next: EntityFilter) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const total = query.data?.pages[0]?.total;
  const filtered = Object.values(filter).some(Boolean);

  return (
    <Page
      title="Catalog"
      query={query}
      about={
        total === undefined || filter.asOf
          ? 'Everything that is declared'
          : `${total} ${total === 1 ? 'entity' : 'entities'}`
      }
      actions={
        <>
          <CopyCommand
            command={`roadbed get ${filter.kind ?? 'component'}${filter.asOf ? ` --as-of ${filter.asOf}` : ''}`}
          />
          <Button component={Link} to="/create">
            Create
          </Button>
        </>
      }
    >
      <Group gap="sm">
        <FilterText
          style={{ flex: '1 1 220px' }}
          leftSection={<IconSearch size={15} aria-hidden />}
          placeholder="Name, title, description or tag"
          aria-label="Filter by text"
          value={filter.text}
          set={(text) => set({ text })}
        />
        <FacetSelect name="kind" filter={filter} set={set} />
        <FacetSelect name="owner" filter={filter} set={set} />
        <FacetSelect name="space" filter={filter} set={set} />
        {!filter.asOf && <AsOf set={(asOf) => set({ asOf })} />}
      </Group>
      {filter.asOf && <AsOfBanner at={filter.asOf} set={(asOf) => set({ asOf })} />}
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows count={10} />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title={filtered ? 'Nothing in the catalog is like that' : 'The catalog is empty'}
            action={
              filtered ? (
                <Button variant="default" onClick={() => navigate({ search: {} })}>
                  Take the filters away
                </Button>
              ) : (
                <Button component={Link} to="/create">
                  Start from a golden path
                </Button>
              )
            }
          >
            {filtered ? 'Try fewer words, or another kind.' : 'Golden paths and “roadbed apply” bring things here.'}
          </Empty>
        )}
        {items.length > 0 && <Table label="Entities" columns={columnsAt(filter.asOf)} rows={items} id={(e) => e.ref} />}
        <More query={query} />
      </Section>
    </Page>
  );
}

const columnsAt = (asOf?: string): Column<Entity>[] => [
  {
    name: 'Name',
    cell: (e) => {
      const ref = parseRef(e.ref);
      return (
        <>
          <Anchor
            renderRoot={(props) =>
              ref ? (
                <Link to="/catalog/$kind/$namespace/$name" params={{ ...ref }} search={{ asOf }} {...props} />
              ) : (
                <Link to="/catalog" {...props} />
              )
            }
            size="sm"
            fw={500}
            c="inherit"
            title={e.ref}
          >
            {e.title || e.name}
          </Anchor>
          {e.error && (
            <IconAlertTriangle
              size={14}
              role="img"
              aria-label="Its newest version can’t be read"
              style={{ marginLeft: 6, color: 'var(--warn)' }}
            />
          )}
          {e.description && (
            <Text size="xs" c="dimmed" lineClamp={1}>
              {e.description}
            </Text>
          )}
        </>
      );
    },
  },
  { name: 'Kind', width: 130, cell: (e) => e.kind },
  { name: 'Type', wide: true, width: 120, cell: (e) => e.type },
  { name: 'Owner', wide: true, cell: (e) => (e.owner ? <RefLink to={e.owner} /> : '') },
  { name: 'Space', wide: true, width: 120, cell: (e) => e.space },
  { name: 'Changed', wide: true, right: true, width: 130, cell: (e) => <Moment at={e.updated} /> },
];

function FacetSelect({
  name,
  filter,
  set,
}: {
  name: 'kind' | 'owner' | 'space';
  filter: EntityFilter;
  set: (next: EntityFilter) => void;
}) {
  const others = { ...filter, [name]: undefined, asOf: undefined };
  const values = useQuery(facet(name, others)).data?.items ?? [];
  const chosen = filter[name];
  const data = values.map((v) => ({ value: v.value, label: `${shortRef(v.value)} (${v.count})` }));
  if (chosen && !data.some((d) => d.value === chosen)) data.push({ value: chosen, label: shortRef(chosen) });
  return (
    <Select
      w={180}
      aria-label={name}
      placeholder={`Any ${name}`}
      clearable
      searchable
      data={data}
      value={chosen ?? null}
      onChange={(value) => set({ [name]: value ?? undefined })}
    />
  );
}
