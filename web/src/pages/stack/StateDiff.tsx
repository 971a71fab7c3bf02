import { Alert, Group, SegmentedControl, Select, Text } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { stackStates } from '../../api/queries';
import { type DiffFilter, stateDiff } from '../../api/states';
import type { Stack } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { ChangeList } from '../run/ChangeList';
import { asPlanChange } from './diff';

const route = getRouteApi('/shell/infrastructure/$namespace/$name');

/** What differs between two versions of a state, which the address names by their serials. */
export function StateDiff({ stack, newest }: { stack: Stack; newest: number }) {
  const { namespace, name } = stack;
  const { from, to = String(newest), action, text = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const filter: DiffFilter = { from, action: action as DiffFilter['action'], text: text || undefined };
  const query = useInfiniteQuery(stateDiff(namespace, name, to, filter));
  const versions = useInfiniteQuery(stackStates(namespace, name)).data?.pages.flatMap((p) => p.items) ?? [];
  const serials = [...new Set([...versions.map((v) => String(v.serial)), to, ...(from ? [from] : [])])];
  const set = (next: { from?: string; to?: string; action?: string; text?: string }) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true, resetScroll: false });
  const first = query.data?.pages[0];
  const changes = query.data?.pages.flatMap((p) => p.items) ?? [];
  const outputs = first?.outputs ?? [];
  const total = first ? first.created + first.updated + first.deleted : 0;
  return (
    <Section
      title="What differs"
      flush
      actions={
        <CopyCommand
          command={['roadbed state diff', `${namespace}/${name}`, from ?? first?.from?.serial, to].join(' ')}
        />
      }
    >
      <Group p="sm" gap="sm">
        <Select
          aria-label="From version"
          size="xs"
          w={130}
          data={serials.map((s) => ({ value: s, label: `from ${s}` }))}
          value={from ?? (first?.from ? String(first.from.serial) : null)}
          placeholder="from nothing"
          onChange={(value) => set({ from: value ?? undefined })}
        />
        <Select
          aria-label="To version"
          size="xs"
          w={130}
          data={serials.map((s) => ({ value: s, label: `to ${s}` }))}
          value={to}
          allowDeselect={false}
          onChange={(value) => set({ to: value ?? undefined })}
        />
        <SegmentedControl
          size="xs"
          aria-label="Which changes"
          value={action ?? ''}
          onChange={(value) => set({ action: value || undefined })}
          data={[
            { value: '', label: `All ${total}` },
            { value: 'create', label: `+ ${first?.created ?? 0} added` },
            { value: 'update', label: `~ ${first?.updated ?? 0} changed` },
            { value: 'delete', label: `− ${first?.deleted ?? 0} removed` },
          ]}
        />
        <FilterText
          size="xs"
          style={{ flex: 1, minWidth: 140 }}
          leftSection={<IconSearch size={14} aria-hidden />}
          placeholder="Address"
          aria-label="Filter by address"
          value={text}
          set={(next) => set({ text: next })}
        />
      </Group>
      {query.isPending && <Rows count={3} />}
      {query.isError && <Failure error={query.error} retry={() => query.refetch()} />}
      {first && !first.values && total > 0 && (
        <Alert color="gray" variant="light" mx="sm" mb="sm" p="xs">
          You see which attributes differ. Their values take the right to read the state (stack:state-read).
        </Alert>
      )}
      <ChangeList changes={changes.map(asPlanChange)} />
      {outputs.length > 0 && (
        <>
          <Text size="sm" fw={600} px="md" pt="md" pb={4}>
            Outputs
          </Text>
          <ChangeList changes={outputs.map(asPlanChange)} />
        </>
      )}
      {query.isSuccess && changes.length === 0 && outputs.length === 0 && (
        <Empty title={total > 0 ? 'No change is like that' : 'Nothing differs'}>
          {total > 0 ? 'Take the filter away to see all.' : 'Both versions hold the same resources and outputs.'}
        </Empty>
      )}
      <More query={query} />
    </Section>
  );
}
