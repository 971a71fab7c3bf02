import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from '../../api/client';
import { each } from '../../api/each';
import { CopyCommand } from '../../parts/CopyCommand';
import { parseRef } from '../../words/ref';
import { commanded, counted, Names } from './Names';
import { Far, useProgress } from './Progress';

interface Props {
  refs: string[];
  close: (done: boolean) => void;
  /** Is called instead of telling what came of it, when none stays. */
  gone?: () => void;
}

/** Deletes entities one by one, and tells which stay and why: what files declare is removed there. */
export function RemoveMany({ refs, close, gone }: Props) {
  const client = useQueryClient();
  const { done, track, stop } = useProgress();
  const remove = useMutation({
    mutationFn: async () => {
      const stay = await each(
        refs,
        async (ref) => {
          const path = parseRef(ref);
          if (path) await body(api.DELETE('/api/v1/entities/{kind}/{namespace}/{name}', { params: { path } }));
        },
        track(),
      );
      return stay.map(({ item, why }) => ({ key: item, text: `${item}: ${why}` }));
    },
    onSuccess: (stay) => stay.length === 0 && gone?.(),
    onSettled: () => {
      for (const key of ['entities', 'facets']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
  const stay = remove.data;
  return (
    <Modal
      opened
      onClose={() => remove.isPending || close(Boolean(stay))}
      title={`Delete ${counted(refs.length, 'entity', 'entities')}`}
      centered
    >
      <Stack>
        {stay ? (
          <>
            <Text size="sm" role="status">
              {(refs.length - stay.length).toLocaleString('en')} of {refs.length.toLocaleString('en')} were deleted.
            </Text>
            <Names items={stay} />
          </>
        ) : (
          <Text size="sm">
            They leave the catalog; their history stays. What a file declares or a source pushes is not deleted here,
            since it would come back.
          </Text>
        )}
        {remove.isPending && refs.length > 1 && <Far what="Deleted" done={done} of={refs.length} stop={stop} />}
        <Group justify="flex-end" gap="xs">
          {refs.length <= commanded && <CopyCommand command={`roadbed delete ${refs.join(' ')}`} />}
          <Button variant="default" disabled={remove.isPending} onClick={() => close(Boolean(stay))}>
            {stay ? 'Done' : 'Keep them'}
          </Button>
          {!stay && (
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
              Delete
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
