import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { useStar } from '../../api/editing';
import { entities, facets, stars } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { Bulk } from './Bulk';
import classes from './catalog.module.css';
import { columns } from './columns';
import { EntityTable } from './EntityTable';
import { gapNames } from './filter';
import { useSelection } from './selection';

const route = getRouteApi('/shell/gaps');
const ofOwners = ['no-owner', 'unknown-owner', 'empty-owner'];
const shown = columns.filter((c) => ['kind', 'owner', 'system', 'updated'].includes(c.id));

/** What lacks an owner or something else that it should have, and setting it from here. */
export function Gaps() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { kind, space } = search;
  const gap = search.gap ?? ofOwners.join(',');
  const counted = useQuery(facets({ kind, space }, 'gap'));
  const counts = new Map((counted.data?.items ?? []).map((f) => [f.value, f.count]));
  const query = useInfiniteQuery(entities({ gap, kind, space }, 200));
  const { fetchNextPage, isFetchingNextPage } = query;
  const items = useMemo(() => query.data?.pages.flatMap((p) => p.items) ?? [], [query.data]);
  const selection = useSelection(`${gap} ${kind} ${space}`);
  const starred = new Set((useQuery(stars).data ?? []).map((s) => s.ref));
  const star = useStar();
  const readMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, isFetchingNextPage]);
  const total = query.data?.pages[0]?.total ?? 0;
  return (
    <Page
      title="Gaps"
      query={query}
      about="What lacks an owner, or something else that others look for. Select rows to set it."
      actions={
        <>
          <CopyCommand command={`roadbed get ${kind ?? 'component,api,resource,system,domain'} --gap ${gap}`} />
          <Button
            variant="default"
            renderRoot={(props) => <Link to="/catalog" search={{ gap, kind, space }} {...props} />}
          >
            Open in the catalog
          </Button>
        </>
      }
    >
      <fieldset className={classes.tiles} style={{ border: 0, padding: 0, margin: 0 }} aria-label="Kinds of gaps">
        {Object.entries(gapNames).map(([name, label]) => (
          <button
            key={name}
            type="button"
            className={classes.tile}
            aria-pressed={search.gap === name}
            onClick={() =>
              navigate({ search: (s) => ({ ...s, gap: s.gap === name ? undefined : name }), replace: true })
            }
          >
            <strong>{counted.isPending ? '…' : (counts.get(name) ?? 0).toLocaleString('en')}</strong>
            <span>{label}</span>
          </button>
        ))}
      </fieldset>
      <Section
        title={
          search.gap
            ? `${gapNames[search.gap] ?? search.gap}: ${total.toLocaleString('en')}`
            : `Without an owner who answers: ${total.toLocaleString('en')}`
        }
        flush
      >
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows count={8} />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="Nothing lacks this">Everything that you may see has what it needs here.</Empty>
        )}
        {items.length > 0 && (
          <EntityTable
            items={items}
            total={total}
            columns={shown}
            selected={selection.selected}
            select={selection.select}
            starred={starred}
            star={star}
            more={query.hasNextPage}
            readMore={readMore}
          />
        )}
      </Section>
      <Bulk items={items} filter={{ gap, kind, space }} total={total} selection={selection} starred={starred} />
    </Page>
  );
}
