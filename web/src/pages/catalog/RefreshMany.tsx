import { Anchor, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { api, body } from '../../api/client';
import { each, type Track } from '../../api/each';
import { CopyCommand } from '../../parts/CopyCommand';
import { type Placed, readBy } from './locations';
import { commanded, counted, Names } from './Names';

interface Refreshed {
  read: number;
  locations: string[];
  trouble: { id: string; source: string; why: string }[];
  others: string[];
}

/** Has the files read again that declare entities, each once. Its total is how many there are. */
export function useRefreshMany(track?: Track) {
  const client = useQueryClient();
  const refresh = useMutation({
    mutationFn: async (entities: Placed[]): Promise<Refreshed> => {
      const { locations, others } = readBy(entities);
      const wrong: Refreshed['trouble'] = [];
      const failed = await each(
        locations,
        async ({ id, source }) => {
          const read = await body(api.POST('/api/v1/locations/{id}/refresh', { params: { path: { id } } }));
          if (read.error) wrong.push({ id, source, why: read.error });
        },
        track?.(),
      );
      return {
        read: locations.length - failed.length - wrong.length,
        locations: locations.map((l) => l.id),
        trouble: [...failed.map(({ item, why }) => ({ id: item.id, source: item.source, why })), ...wrong],
        others,
      };
    },
    onSettled: () => {
      for (const key of ['entities', 'entity', 'facets', 'locations', 'location'])
        void client.invalidateQueries({ queryKey: [key] });
    },
  });
  const { variables } = refresh;
  const total = useMemo(() => readBy(variables ?? []).locations.length, [variables]);
  return { ...refresh, total };
}

/** What came of it. */
export function RefreshMany({ done, close }: { done: Refreshed; close: () => void }) {
  return (
    <Modal opened onClose={close} title="Refreshed" centered>
      <Stack>
        <Text size="sm" role="status">
          {done.locations.length === 0
            ? 'None of them comes from a file.'
            : `${done.read.toLocaleString('en')} of ${counted(done.locations.length, 'location')} ${done.locations.length === 1 ? 'was' : 'were'} read again.`}
        </Text>
        <Names
          items={done.trouble.map((t) => ({
            key: t.id,
            text: (
              <>
                <Anchor
                  size="sm"
                  renderRoot={(props) => <Link to="/sources/locations/$id" params={{ id: t.id }} {...props} />}
                >
                  {t.source}
                </Anchor>
                {`: ${t.why}`}
              </>
            ),
          }))}
        />
        {done.others.length > 0 && done.locations.length > 0 && (
          <Text size="sm" c="dimmed">
            {counted(done.others.length, 'comes', 'come')} from no file and {done.others.length === 1 ? 'is' : 'are'} as
            they were applied or pushed.
          </Text>
        )}
        <Group justify="flex-end" gap="xs">
          {done.locations.length > 0 && done.locations.length <= commanded && (
            <CopyCommand command={`roadbed location refresh ${done.locations.join(' ')}`} />
          )}
          <Button onClick={close}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
