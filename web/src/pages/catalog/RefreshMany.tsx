import { Anchor, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, body } from '../../api/client';
import { each } from '../../api/each';
import type { Entity } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { readBy } from './locations';
import { counted, Names } from './Names';

interface Refreshed {
  read: number;
  locations: string[];
  trouble: { id: string; source: string; why: string }[];
  others: string[];
}

/** Has the files read again that declare entities, each once. */
export function useRefreshMany() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (entities: Entity[]): Promise<Refreshed> => {
      const { locations, others } = readBy(entities);
      const wrong: Refreshed['trouble'] = [];
      const failed = await each(locations, async ({ id, source }) => {
        const read = await body(api.POST('/api/v1/locations/{id}/refresh', { params: { path: { id } } }));
        if (read.error) wrong.push({ id, source, why: read.error });
      });
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
}

/** What came of it. */
export function RefreshMany({ done, close }: { done: Refreshed; close: () => void }) {
  return (
    <Modal opened onClose={close} title="Refreshed" centered>
      <Stack>
        <Text size="sm" role="status">
          {done.locations.length === 0
            ? 'None of them comes from a file.'
            : `${done.read} of ${counted(done.locations.length, 'location')} were read again.`}
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
          {done.locations.length > 0 && (
            <CopyCommand command={`roadbed location refresh ${done.locations.join(' ')}`} />
          )}
          <Button onClick={close}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
