import { Button, Group, Select, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { changes, facet } from '../../api/queries';
import type { EntityChange } from '../../api/types';
import { AsOf } from '../../parts/AsOf';
import { CommitLink } from '../../parts/CommitLink';
import { CopyCommand } from '../../parts/CopyCommand';
import { Diff } from '../../parts/Diff';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { parseRef, refPath, shortRef } from '../../words/ref';

const route = getRouteApi('/shell/changes');
const week = 7 * 24 * 3600_000;

/** What differs in the catalog between two times. */
export function ChangesPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const usual = useMemo(() => new Date(Math.floor((Date.now() - week) / 60_000) * 60_000).toISOString(), []);
  const filter = { ...search, from: search.from ?? usual };
  const query = useInfiniteQuery(changes(filter));
  const kinds = useQuery(facet('kind', {})).data?.items ?? [];
  const set = (next: Partial<typeof search>) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const flags = [filter.to && `--to ${filter.to}`, filter.kind && `--kind ${filter.kind}`].filter(Boolean).join(' ');
  return (
    <Page
      title="Changes of the catalog"
      query={query}
      about="Each entity at the one time against the other, what changed last first"
      actions={<CopyCommand command={`roadbed diff --from ${filter.from} ${flags}`.trim()} />}
    >
      <Group gap="sm">
        <Text size="sm">From</Text>
        <AsOf label="From" at={filter.from} set={(from) => set({ from })} />
        <Text size="sm">to</Text>
        <AsOf label="To" at={filter.to} set={(to) => set({ to })} />
        <Select
          w={170}
          aria-label="kind"
          placeholder="Any kind"
          clearable
          searchable
          data={kinds.map((k) => ({ value: k.value, label: k.value }))}
          value={search.kind ?? null}
          onChange={(kind) => set({ kind: kind ?? undefined })}
        />
        <FilterText
          w={190}
          aria-label="owner"
          placeholder="Any owner"
          value={search.owner}
          set={(owner) => set({ owner })}
        />
        <FilterText
          w={130}
          aria-label="space"
          placeholder="Any space"
          value={search.space}
          set={(space) => set({ space })}
        />
      </Group>
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows count={8} />}
        {query.isSuccess && items.length === 0 && !query.hasNextPage && (
          <Empty
            title="Nothing differs"
            action={
              <Button component={Link} to="/catalog" variant="default">
                To the catalog
              </Button>
            }
          >
            An earlier time looks further back.
          </Empty>
        )}
        {items.map((c) => (
          <Change key={`${c.ref} ${c.last.version}`} change={c} from={filter.from} />
        ))}
        <More query={query} />
      </Section>
    </Page>
  );
}

function Change({ change, from }: { change: EntityChange; from: string }) {
  const { last } = change;
  const ref = parseRef(change.ref);
  return (
    <details style={{ padding: '8px 16px', borderBottom: '1px solid var(--line)' }}>
      <summary style={{ cursor: 'pointer' }}>
        <strong>{change.action}</strong> {change.kind} <strong title={change.ref}>{shortRef(change.ref)}</strong> by{' '}
        {last.actor.name}, <Moment at={last.time} />
        {change.versions > 1 && `, in ${change.versions} versions`}
      </summary>
      <Group gap="md" my={6} fz="sm">
        {change.action !== 'deleted' && <Link to={refPath(change.ref) ?? '/catalog'}>Its page</Link>}
        {change.action !== 'created' && ref && (
          <Link to="/catalog/$kind/$namespace/$name" params={{ ...ref }} search={{ asOf: from }}>
            As it was
          </Link>
        )}
        {last.commit && last.repository && <CommitLink repository={last.repository} commit={last.commit} />}
        <Link to="/ledger" search={{ ref: change.ref }} title={last.entry}>
          Ledger
        </Link>
      </Group>
      {change.diff ? (
        <Diff text={change.diff} label={`What changed of ${change.ref}`} />
      ) : (
        <Text size="sm" c="dimmed">
          {change.action === 'created' ? 'It was not there before.' : 'It is not there any more.'}
        </Text>
      )}
    </details>
  );
}
