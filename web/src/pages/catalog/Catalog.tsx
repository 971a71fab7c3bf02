import { Button, Checkbox, Drawer, Group, Popover, Stack } from '@mantine/core';
import { IconColumns3, IconDownload, IconFilter, IconSearch, IconUserQuestion, IconX } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';
import { api, body } from '../../api/client';
import { useStar } from '../../api/editing';
import { entities, stars } from '../../api/queries';
import { AsOf, AsOfBanner } from '../../parts/AsOf';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { shortRef } from '../../words/ref';
import { Bulk } from './Bulk';
import classes from './catalog.module.css';
import { chosenColumns, columnsParam, columns as everyColumn, keepColumns, ownColumns } from './columns';
import { EntityTable } from './EntityTable';
import {
  type CatalogSearch,
  chosen,
  command,
  csv,
  flags,
  gapNames,
  type ListName,
  lists,
  toFilter,
  turned,
  values,
} from './filter';
import { useFurther } from './further';
import { LookFurther } from './LookFurther';
import { Sidebar } from './Sidebar';
import { useSelection } from './selection';
import { Views } from './Views';

const route = getRouteApi('/shell/catalog');
const flagNames: Record<string, string> = {
  mine: 'Owned by me',
  below: 'With the groups below',
  starred: 'Starred',
  failed: 'Newest version can’t be read',
  orphan: 'No file declares it',
};

export function Catalog() {
  const search = route.useSearch() as CatalogSearch;
  const navigate = route.useNavigate();
  const filter = toFilter(search);
  const query = useInfiniteQuery(entities(filter, 200));
  const { fetchNextPage, isFetchingNextPage } = query;
  const set = (next: CatalogSearch) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const items = useMemo(() => query.data?.pages.flatMap((p) => p.items) ?? [], [query.data]);
  const further = useFurther(query, JSON.stringify(filter));
  const total = query.data?.pages[0]?.total;
  const narrowed = chosen(search).length;
  const [drawer, setDrawer] = useState(false);
  const selection = useSelection(JSON.stringify(filter));
  const starred = new Set((useQuery(stars).data ?? []).map((s) => s.ref));
  const star = useStar();
  const [kept, setKept] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is kept by the browser changes with it
  const columns = useMemo(() => chosenColumns(search.columns), [search.columns, kept]);
  const readMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  // The columns of a view, or of a link, are changed in the address: one's own stay as they are.
  const choose = (names: string[]) => {
    if (search.columns || search.view) return void set({ columns: columnsParam(names) });
    keepColumns(names);
    setKept(kept + 1);
  };

  return (
    <Page
      title="Catalog"
      query={query}
      about={
        total === undefined || filter.asOf
          ? 'Everything that is declared'
          : `${total.toLocaleString('en')} ${total === 1 ? 'entity' : 'entities'}`
      }
      actions={
        <>
          <CopyCommand command={command(search)} />
          <Views
            search={search}
            shown={{ ...search, columns: search.columns ?? ownColumns() }}
            go={(to) => navigate({ search: to })}
          />
          <Button
            variant="default"
            leftSection={<IconUserQuestion size={15} aria-hidden />}
            renderRoot={(props) => (
              <Link
                to="/gaps"
                search={{ kind: search.kind, space: search.space }}
                title="What lacks an owner, or something else"
                {...props}
              />
            )}
          >
            Gaps
          </Button>
          <Button
            variant="default"
            renderRoot={(props) => (
              <Link to="/sources" search={{ register: 'true' }} title="A file that is in a repository" {...props} />
            )}
          >
            Register
          </Button>
          <Button component={Link} to="/create">
            Create
          </Button>
        </>
      }
    >
      {filter.asOf && <AsOfBanner at={filter.asOf} set={(asOf) => set({ asOf })} />}
      <div className={classes.layout}>
        <aside className={classes.side} aria-label="Filters">
          <Sidebar search={search} set={set} />
        </aside>
        <Stack gap="sm" style={{ minWidth: 0 }}>
          <Group gap="xs">
            <FilterText
              style={{ flex: '1 1 200px' }}
              leftSection={<IconSearch size={15} aria-hidden />}
              placeholder="Name, title, description or tag"
              aria-label="Filter by text"
              value={search.text}
              set={(text) => set({ text })}
            />
            <Button
              variant="default"
              className={classes.narrow}
              leftSection={<IconFilter size={15} aria-hidden />}
              onClick={() => setDrawer(true)}
            >
              Filters{narrowed > 0 ? ` (${narrowed})` : ''}
            </Button>
            <Popover position="bottom-end" trapFocus>
              <Popover.Target>
                <Button variant="default" leftSection={<IconColumns3 size={15} aria-hidden />} visibleFrom="sm">
                  Columns
                </Button>
              </Popover.Target>
              <Popover.Dropdown>
                <Checkbox.Group value={columns.map((c) => c.id)} onChange={choose} aria-label="Columns">
                  <Stack gap={8}>
                    {everyColumn.map((c) => (
                      <Checkbox key={c.id} value={c.id} label={c.name} size="xs" />
                    ))}
                  </Stack>
                </Checkbox.Group>
                {search.columns && (
                  <Button
                    variant="subtle"
                    size="compact-xs"
                    mt="sm"
                    onClick={() => set({ columns: undefined })}
                    title="This view, or the link that you followed, brings its own"
                  >
                    Show my own columns
                  </Button>
                )}
              </Popover.Dropdown>
            </Popover>
            <Export search={search} />
            {!search.asOf && <AsOf set={(asOf) => set({ asOf })} />}
          </Group>
          <Chips search={search} set={set} clear={() => navigate({ search: {} })} />
          <Section flush>
            {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
            {query.isPending && <Rows count={10} />}
            {query.isSuccess && items.length === 0 && !query.hasNextPage && (
              <Empty
                title={narrowed > 0 ? 'Nothing in the catalog is like that' : 'The catalog is empty'}
                action={
                  narrowed > 0 ? (
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
                {search.starred
                  ? 'The star in front of a name keeps it here.'
                  : narrowed > 0
                    ? 'Try fewer words, or another kind.'
                    : 'Golden paths and “roadbed apply” bring things here.'}
              </Empty>
            )}
            {query.isFetchNextPageError && <Failure error={query.error} />}
            {query.data && items.length === 0 && <LookFurther {...further} none />}
            {items.length > 0 && (
              <EntityTable
                items={items}
                total={total ?? items.length}
                columns={columns}
                sort={search.sort}
                setSort={search.asOf ? undefined : (sort) => set({ sort })}
                asOf={search.asOf}
                selected={selection.selected}
                select={selection.select}
                starred={starred}
                star={star}
                more={further.next === 'on'}
                readMore={readMore}
              />
            )}
            {items.length > 0 && <LookFurther {...further} none={false} />}
          </Section>
          {!search.asOf && (
            <Bulk items={items} filter={filter} total={total ?? 0} selection={selection} starred={starred} />
          )}
        </Stack>
      </div>
      <Drawer opened={drawer} onClose={() => setDrawer(false)} title="Filters" position="left" size="xs">
        <Stack gap="md">
          <Sidebar search={search} set={set} />
          <Button onClick={() => setDrawer(false)}>Show {total?.toLocaleString('en') ?? 'them'}</Button>
        </Stack>
      </Drawer>
    </Page>
  );
}

/** What narrows the list, each with a way to take it away. */
function Chips({
  search,
  set,
  clear,
}: {
  search: CatalogSearch;
  set: (next: CatalogSearch) => void;
  clear: () => void;
}) {
  if (chosen(search).length === 0) return null;
  const chip = (key: string, label: string, next: CatalogSearch) => (
    <Button
      key={key}
      size="compact-xs"
      variant="light"
      radius="xl"
      rightSection={<IconX size={12} aria-hidden />}
      aria-label={`Take away: ${label}`}
      onClick={() => set(next)}
    >
      {label}
    </Button>
  );
  const word = (name: ListName, value: string) =>
    name === 'gap' ? (gapNames[value] ?? value) : `${name}: ${shortRef(value)}`;
  return (
    <div className={classes.chips}>
      {search.text && chip('text', `“${search.text}”`, { text: undefined })}
      {search.location && chip('location', `from ${search.location}`, { location: undefined })}
      {flags.filter((f) => search[f]).map((f) => chip(f, flagNames[f] ?? f, { [f]: undefined }))}
      {lists.flatMap((name) =>
        values(search[name]).map((value) =>
          chip(`${name} ${value}`, word(name, value), { [name]: turned(search[name], value) }),
        ),
      )}
      <Button size="compact-xs" variant="subtle" color="gray" onClick={clear}>
        Clear all
      </Button>
    </div>
  );
}

const most = 10_000;

/** Saves the list as a table, as far as it goes. */
function Export({ search }: { search: CatalogSearch }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const rows = [['Ref', 'Title', ...everyColumn.map((c) => c.name), 'Description']];
      for (let cursor: string | undefined; ; ) {
        const part = await body(
          api.GET('/api/v1/entities', { params: { query: { ...toFilter(search), limit: 200, cursor } } }),
        );
        for (const e of part.items)
          rows.push([e.ref, e.title ?? '', ...everyColumn.map((c) => c.text(e)), e.description ?? '']);
        cursor = part.next;
        if (!cursor || rows.length > most) break;
      }
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([csv(rows)], { type: 'text/csv' }));
      link.download = 'catalog.csv';
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (err) {
      setError(err);
    }
    setBusy(false);
  };
  return (
    <>
      <Button
        variant="default"
        loading={busy}
        onClick={save}
        leftSection={<IconDownload size={15} aria-hidden />}
        visibleFrom="sm"
        title={`The list as CSV, at most ${most.toLocaleString('en')} rows`}
      >
        CSV
      </Button>
      <Failure error={error} />
    </>
  );
}
