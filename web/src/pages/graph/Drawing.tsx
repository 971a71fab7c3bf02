import { Alert, Button, Group, MultiSelect, SegmentedControl, Select, Skeleton, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import type { EntityGraph } from '../../api/types';
import { FilterText } from '../../parts/FilterText';
import { Section } from '../../parts/Page';
import { plain, shortRef } from '../../words/ref';
import { Card } from './Card';
import { GraphList } from './GraphList';
import { type Box, counted, found, type Grouping, shapeOf } from './shape';

const Canvas = lazy(() => import('./Canvas'));
const route = getRouteApi('/shell/graph');

const listed = (text?: string) => (text ? text.split(',').filter(Boolean) : []);
const joined = (list: string[]) => list.join(',') || undefined;
const groupings = [
  { value: 'auto', label: 'Folded as needed' },
  { value: 'system', label: 'By system' },
  { value: 'owner', label: 'By owner' },
  { value: 'none', label: 'Not grouped' },
];

/** A graph as a picture or a list, with what narrows it. All of that is in the address. */
export function Drawing({ graph, outward }: { graph: EntityGraph; outward: boolean }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = useCallback(
    (next: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...next }), replace: true }),
    [navigate],
  );
  const { open, kinds, relations, at } = search;
  const group = (groupings.find((g) => g.value === search.group)?.value ?? 'auto') as Grouping;
  const ownership = outward || search.ownership === 'drawn';
  const shape = useMemo(
    () =>
      shapeOf(graph, {
        group,
        ownership,
        open: new Set(listed(open)),
        kinds: kinds ? new Set(listed(kinds)) : undefined,
        relations: relations ? new Set(listed(relations)) : undefined,
      }),
    [graph, group, ownership, open, kinds, relations],
  );
  const hits = useMemo(() => found(shape, graph, search.find ?? ''), [shape, graph, search.find]);
  const choose = useCallback(
    (box: Box) =>
      void navigate({
        search: (s) =>
          box.folded
            ? { ...s, open: joined([...listed(s.open), box.id]) }
            : { ...s, at: s.at === box.id ? undefined : box.id },
        replace: true,
      }),
    [navigate],
  );
  const unfolded = listed(open);
  const narrow = useMediaQuery('(max-width: 640px)');
  const [filters, setFilters] = useState(false);
  const narrowed = [kinds, relations, search.group].filter(Boolean).length;
  const card = at && <Card graph={graph} chosen={at} close={() => set({ at: undefined })} />;
  return (
    <>
      <Group gap="sm">
        <FilterText
          style={{ flex: '1 1 180px' }}
          placeholder="Find in the graph"
          aria-label="Find in the graph"
          value={search.find}
          set={(find) => set({ find })}
        />
        {narrow && (
          <Button variant="default" aria-expanded={filters} onClick={() => setFilters(!filters)}>
            Filters{narrowed > 0 && ` (${narrowed})`}
          </Button>
        )}
        {(!narrow || filters) && (
          <>
            <MultiSelect
              style={{ flex: '1 1 150px' }}
              aria-label="Kinds"
              placeholder={kinds ? undefined : 'All kinds'}
              clearable
              data={counted(graph.nodes.map((n) => n.kind))}
              value={listed(kinds)}
              onChange={(next) => set({ kinds: joined(next) })}
            />
            <MultiSelect
              style={{ flex: '1 1 150px' }}
              aria-label="Relations"
              placeholder={relations ? undefined : 'All relations'}
              clearable
              data={counted(graph.edges.map((e) => e.type))}
              value={listed(relations)}
              onChange={(next) => set({ relations: joined(next) })}
            />
            <Select
              w={170}
              aria-label="Group"
              data={groupings}
              allowDeselect={false}
              value={group}
              onChange={(next) => set({ group: next === 'auto' ? undefined : (next ?? undefined), open: undefined })}
            />
          </>
        )}
        <SegmentedControl
          aria-label="Look"
          data={[
            { value: 'graph', label: 'Graph' },
            { value: 'list', label: 'List' },
          ]}
          value={search.look === 'list' ? 'list' : 'graph'}
          onChange={(next) => set({ look: next === 'list' ? next : undefined })}
        />
      </Group>
      <Group gap="sm" fz="sm" mih={26}>
        <span role="status">
          {graph.nodes.length} {graph.nodes.length === 1 ? 'entity' : 'entities'} in {shape.boxes.length} boxes
          {search.find && `, ${hits.size} found`}
        </span>
        {shape.ownerless && <Small label="Draw who owns what, too" go={() => set({ ownership: 'drawn' })} />}
        {search.ownership && <Small label="Don't draw who owns what" go={() => set({ ownership: undefined })} />}
        {unfolded.length > 0 && <Small label="Fold again" go={() => set({ open: joined(unfolded.slice(0, -1)) })} />}
        {unfolded.length > 1 && <Small label="Fold all" go={() => set({ open: undefined })} />}
        {graph.cut && (
          <Text size="sm" c="dimmed">
            {graph.nodes.some((n) => n.more)
              ? 'There is more behind some of these: go deeper, or start there.'
              : 'The catalog of then is large: there may be more relations than these.'}
          </Text>
        )}
      </Group>
      <Cycles graph={graph} />
      {narrow && search.look !== 'list' && card}
      <Section flush>
        {search.look === 'list' ? (
          <GraphList graph={graph} kinds={kinds ? listed(kinds) : undefined} find={search.find ?? ''} />
        ) : (
          <Suspense fallback={<Skeleton height={420} />}>
            <Canvas label="Graph" shape={shape} outward={outward} hits={hits} chosen={at} choose={choose}>
              {!narrow && card}
            </Canvas>
          </Suspense>
        )}
      </Section>
    </>
  );
}

function Small({ label, go }: { label: string; go: () => void }) {
  return (
    <Button size="compact-sm" variant="default" onClick={go}>
      {label}
    </Button>
  );
}

function Cycles({ graph }: { graph: EntityGraph }) {
  if (graph.cycles.length === 0) return null;
  return (
    <Alert color="red" variant="light" p="xs">
      {graph.cycles.slice(0, 5).map((c) => (
        <div key={`${c.type} ${c.refs[0]}`}>
          A cycle of “{plain(c.type)}”: {c.refs.slice(0, 8).map(shortRef).join(', ')}
          {c.refs.length > 8 && ` and ${c.refs.length - 8} more`}
        </div>
      ))}
      {graph.cycles.length > 5 && <div>and {graph.cycles.length - 5} more cycles</div>}
    </Alert>
  );
}
