import { Button, Checkbox, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, body } from '../../api/client';
import { each } from '../../api/each';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Rows } from '../../parts/Page';
import { parseRef } from '../../words/ref';
import { goingWith, type Placed, registeredBy } from './locations';
import { commanded, counted, Names, shown } from './Names';
import { Far, useProgress } from './Progress';

interface Props {
  entities: Placed[];
  close: (done: boolean) => void;
  /** Is called instead of telling what came of it, when none stays. */
  gone?: () => void;
}

/** Takes the locations away that entities come from: whole ones, so it is told first what goes besides. */
export function UnregisterMany({ entities, close, gone }: Props) {
  const client = useQueryClient();
  const { done, track, stop } = useProgress();
  const [{ locations, orphans, others }] = useState(() => registeredBy(entities));
  const [agreed, setAgreed] = useState(false);
  const going = useQuery({
    queryKey: ['unregister', locations.map((l) => l.id)],
    queryFn: () => goingWith(locations, track()),
    retry: false,
    gcTime: 0,
  });
  const remove = useMutation({
    mutationFn: async () => {
      const names = new Map(going.data?.map((g) => [g.id, g.name]));
      const { told, signal } = track();
      const stay = await each(
        locations,
        ({ id }) => body(api.DELETE('/api/v1/locations/{id}', { params: { path: { id } } })),
        { told, signal },
      );
      const left = await each(
        orphans,
        async (ref) => {
          const path = parseRef(ref);
          if (path) await body(api.DELETE('/api/v1/entities/{kind}/{namespace}/{name}', { params: { path } }));
        },
        { told: (n) => told?.(locations.length + n), signal },
      );
      return [
        ...stay.map(({ item, why }) => ({ key: item.id, text: `${names.get(item.id) ?? item.source}: ${why}` })),
        ...left.map(({ item, why }) => ({ key: item, text: `${item}: ${why}` })),
      ];
    },
    onSuccess: (stay) => stay.length === 0 && gone?.(),
    onSettled: () => {
      for (const key of ['entities', 'entity', 'facets', 'locations'])
        void client.invalidateQueries({ queryKey: [key] });
    },
  });
  const stay = remove.data;
  const asked = locations.length + orphans.length;
  const total = (going.data ?? []).reduce((n, g) => n + g.total, 0);
  const besides = total - locations.reduce((n, l) => n + l.refs.length, 0);
  return (
    <Modal
      opened
      onClose={() => remove.isPending || close(Boolean(stay))}
      title={`Unregister ${counted(entities.length, 'entity', 'entities')}`}
      size="lg"
      centered
    >
      <Stack>
        {stay ? (
          <>
            <Text size="sm" role="status">
              {(asked - stay.length).toLocaleString('en')} of {asked.toLocaleString('en')} were unregistered.
            </Text>
            <Names items={stay} />
          </>
        ) : (
          <>
            <Failure error={going.error} retry={() => going.refetch()} />
            {going.isPending && locations.length > shown && (
              <Far what="Locations looked at" done={done} of={locations.length} stop={stop} />
            )}
            {going.isPending && <Rows count={2} />}
            {locations.length > 0 && going.data && (
              <>
                <Text size="sm">
                  {counted(locations.length, 'location')} with {counted(total, 'entity', 'entities')}{' '}
                  {locations.length === 1 ? 'leaves' : 'leave'} the catalog. The files stay where they are, and can be
                  registered again.
                </Text>
                <Names
                  items={going.data.map((g) => ({
                    key: g.id,
                    text: `${g.name}: ${g.some.join(', ')}${g.total > g.some.length ? ` and ${counted(g.total - g.some.length, 'other')}` : ''}`,
                  }))}
                />
                <Text size="sm" c="dimmed">
                  What their Location entities name goes as well, unless somebody registered it or something else names
                  it.
                </Text>
              </>
            )}
            {orphans.length > 0 && (
              <>
                <Text size="sm">
                  {orphans.length === 1
                    ? '1 orphan, which no file declares'
                    : `${orphans.length} orphans, which no file declares`}{' '}
                  any more, {orphans.length === 1 ? 'is' : 'are'} deleted:
                </Text>
                <Names items={orphans.map((ref) => ({ key: ref, text: ref }))} />
              </>
            )}
            {others.length > 0 && (
              <>
                <Text size="sm">
                  {others.length} {others.length === 1 ? 'comes' : 'come'} from no file and{' '}
                  {others.length === 1 ? 'stays' : 'stay'}; what was applied can be deleted:
                </Text>
                <Names items={others.map((ref) => ({ key: ref, text: ref }))} />
              </>
            )}
            {besides > 0 && (
              <Checkbox
                label={`Also the ${besides === 1 ? 'one' : besides.toLocaleString('en')} ${entities.length === 1 ? 'beside it' : 'that I did not select'}`}
                checked={agreed}
                onChange={(e) => setAgreed(e.currentTarget.checked)}
              />
            )}
          </>
        )}
        {remove.isPending && asked > 1 && <Far what="Unregistered" done={done} of={asked} stop={stop} />}
        <Group justify="flex-end" gap="xs">
          {locations.length > 0 && locations.length <= commanded && (
            <CopyCommand command={`roadbed location remove ${locations.map((l) => l.id).join(' ')}`} />
          )}
          <Button variant="default" disabled={remove.isPending} onClick={() => close(Boolean(stay))}>
            {stay ? 'Done' : 'Keep them'}
          </Button>
          {!stay && (
            <Button
              color="red"
              loading={remove.isPending}
              disabled={!going.isSuccess || asked === 0 || (besides > 0 && !agreed)}
              onClick={() => remove.mutate()}
            >
              Unregister
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
