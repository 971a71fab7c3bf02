import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, body } from '../../api/client';
import { each } from '../../api/each';
import { CopyCommand } from '../../parts/CopyCommand';
import { parseRef } from '../../words/ref';
import { Names } from './Names';

/** Deletes entities one by one, and tells which stay and why: what files declare is removed there. */
export function RemoveMany({ refs, close }: { refs: string[]; close: (done: boolean) => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: async () => {
      const stay = await each(refs, async (ref) => {
        const path = parseRef(ref);
        if (path) await body(api.DELETE('/api/v1/entities/{kind}/{namespace}/{name}', { params: { path } }));
      });
      return stay.map(({ item, why }) => ({ key: item, text: `${item}: ${why}` }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['entities'] }),
  });
  const stay = remove.data;
  return (
    <Modal
      opened
      onClose={() => close(Boolean(stay))}
      title={`Delete ${refs.length} ${refs.length === 1 ? 'entity' : 'entities'}`}
      centered
    >
      <Stack>
        {stay ? (
          <>
            <Text size="sm">
              {refs.length - stay.length} of {refs.length} were deleted.
            </Text>
            <Names items={stay} />
          </>
        ) : (
          <Text size="sm">
            They leave the catalog; their history stays. What a file declares or a source pushes is not deleted here,
            since it would come back.
          </Text>
        )}
        <Group justify="flex-end" gap="xs">
          <CopyCommand command={`roadbed delete ${refs.join(' ')}`} />
          <Button variant="default" onClick={() => close(Boolean(stay))}>
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
