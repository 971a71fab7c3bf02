import { Group, SegmentedControl, Select, Skeleton, Slider, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useCallback, useEffect, useState } from 'react';
import { choices, entityGraph, type GraphFilter } from '../../api/queries';
import { AsOf, AsOfBanner } from '../../parts/AsOf';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Empty, Page, Section } from '../../parts/Page';
import { refPath, shortRef } from '../../words/ref';
import { Drawing } from './Drawing';

const route = getRouteApi('/shell/graph');

const views = [
  { value: 'around', label: 'Around it' },
  { value: 'impact', label: 'Depends on it' },
  { value: 'needs', label: 'It depends on' },
  { value: 'owned', label: 'Owned' },
];

export function GraphPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = useCallback(
    (next: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...next }), replace: true }),
    [navigate],
  );
  const view = (views.find((v) => v.value === search.view)?.value ?? 'around') as GraphFilter['view'];
  const depth = Math.min(Math.max(Number(search.depth) || (view === 'around' ? 2 : 10), 1), 10);
  const direction = search.direction === 'in' || search.direction === 'out' ? search.direction : undefined;
  const root = search.root ?? '';
  const { asOf } = search;
  const query = useQuery(entityGraph({ root, view, depth, direction, nodes: 1000, asOf }));
  const command = view === 'impact' || view === 'needs' ? 'impact' : view === 'owned' ? 'owned' : 'graph';
  return (
    <Page
      title={root ? `Graph of ${shortRef(root)}` : 'Graph'}
      query={query}
      about={
        root ? (
          <Link to={refPath(root) ?? '/catalog'} search={asOf ? { asOf } : undefined}>
            Its page
          </Link>
        ) : (
          'What is related to what'
        )
      }
      actions={
        root && (
          <CopyCommand
            command={`roadbed ${command} ${root} --depth ${depth}${view === 'needs' ? ' --needs' : ''}${direction && view === 'around' ? ` --direction ${direction}` : ''}${asOf ? ` --as-of ${asOf}` : ''}`}
          />
        )
      }
    >
      {asOf && <AsOfBanner at={asOf} set={(to) => set({ asOf: to })} />}
      <Group gap="sm" align="center">
        <RootSelect root={root} asOf={asOf} set={(next) => set({ root: next, open: undefined, at: undefined })} />
        <SegmentedControl
          aria-label="View"
          data={views}
          value={view}
          onChange={(next) =>
            set({ view: next === 'around' ? undefined : next, open: undefined, at: undefined, depth: undefined })
          }
        />
        {view === 'around' && (
          <Select
            w={150}
            aria-label="Direction"
            data={[
              { value: 'both', label: 'Both ways' },
              { value: 'out', label: 'From it' },
              { value: 'in', label: 'To it' },
            ]}
            value={direction ?? 'both'}
            onChange={(next) => set({ direction: next === 'both' ? undefined : (next ?? undefined) })}
          />
        )}
        <Depth depth={depth} set={(next) => set({ depth: String(next) })} />
        {!asOf && <AsOf set={(to) => set({ asOf: to })} />}
      </Group>
      {!root && (
        <Section>
          <Empty title="Choose an entity">Its relations are drawn here, as far as you want them.</Empty>
        </Section>
      )}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && root && <Skeleton height={420} />}
      {query.data && root && <Drawing graph={query.data} outward={view !== 'around'} />}
    </Page>
  );
}

/** A slider that asks for a graph when it is let go. */
function Depth({ depth, set }: { depth: number; set: (depth: number) => void }) {
  const [moved, setMoved] = useState(depth);
  useEffect(() => setMoved(depth), [depth]);
  return (
    <Group gap={8} wrap="nowrap">
      <Text size="sm">Depth {moved}</Text>
      <Slider
        w={120}
        min={1}
        max={10}
        label={null}
        thumbLabel="Depth"
        value={moved}
        onChange={setMoved}
        onChangeEnd={set}
      />
    </Group>
  );
}

/** Chooses where a graph begins. */
function RootSelect({ root, asOf, set }: { root: string; asOf?: string; set: (root: string) => void }) {
  const [text, setText] = useState('');
  const offered = useQuery(choices({ text: text.slice(0, 200), asOf })).data?.items ?? [];
  const data = offered
    .filter((e) => e.ref !== root)
    .map((e) => ({ value: e.ref, label: `${e.title || shortRef(e.ref)} · ${e.kind}` }));
  // Its label stays what it is, since the text that is looked for follows the label.
  if (root) data.unshift({ value: root, label: shortRef(root) });
  return (
    <Select
      w={250}
      aria-label="Entity"
      placeholder="An entity"
      searchable
      data={data}
      filter={({ options }) => options}
      value={root || null}
      onSearchChange={setText}
      onChange={(next) => next && set(next)}
    />
  );
}
