import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { each } from '../../api/each';
import { CopyCommand } from '../../parts/CopyCommand';
import { counted, Names } from '../catalog/Names';
import { Far, useProgress } from '../catalog/Progress';

export interface Deed<T> {
  label: string;
  says: string;
  destructive?: boolean;
  takesNote?: boolean;
  noun: string;
  items: T[];
  /** How many are chosen with which it can't be done. */
  others: number;
  key: (item: T) => string;
  name: (item: T) => ReactNode;
  act: (item: T, note: string) => Promise<unknown>;
  command?: string;
}

/** Does the same with each of several, one request for each, and tells with which it failed and why. */
export function ManyDialog<T>({ deed: given, close }: { deed: Deed<T>; close: (did: boolean) => void }) {
  const [deed] = useState(given); // what comes while the dialog is open was not seen
  const [note, setNote] = useState('');
  const { done, track, stop } = useProgress();
  useEffect(() => stop, [stop]);
  const client = useQueryClient();
  const go = useMutation({
    mutationFn: () => each(deed.items, (item) => deed.act(item, note), track()),
    onSettled: () => {
      for (const key of ['home', 'runs', 'run', 'stacks', 'stack']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
  const { length } = deed.items;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    go.mutate();
  };
  return (
    <Modal
      opened
      centered
      title={`${deed.label}: ${counted(length, deed.noun)}`}
      closeOnEscape={!go.isPending}
      closeOnClickOutside={!go.isPending}
      withCloseButton={!go.isPending}
      onClose={() => close(go.isSuccess)}
    >
      {go.data ? (
        <Stack>
          <Text size="sm" role="status">
            {go.data.length === 0
              ? `${deed.label}: done with ${length === 1 ? 'it' : `all ${length.toLocaleString('en')}`}.`
              : `${deed.label}: done with ${(length - go.data.length).toLocaleString('en')} of ${length.toLocaleString('en')}. It failed with:`}
          </Text>
          <Names
            items={go.data.map(({ item, why }) => ({
              key: deed.key(item),
              text: (
                <>
                  {deed.name(item)}: {why}
                </>
              ),
            }))}
          />
          <Group justify="flex-end">
            <Button onClick={() => close(true)}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <Text size="sm">
              {deed.says}
              {deed.others > 0 && ` ${counted(deed.others, 'other')} that you chose can’t, and stay as they are.`}
            </Text>
            <Names items={deed.items.map((item) => ({ key: deed.key(item), text: deed.name(item) }))} />
            {deed.takesNote && (
              <Textarea
                label="Note"
                description="Kept with each of them and in the ledger; may be left out."
                autosize
                minRows={2}
                maxLength={4096}
                value={note}
                onChange={(e) => setNote(e.currentTarget.value)}
              />
            )}
            {go.isPending && <Far what={deed.label} done={done} of={length} stop={stop} />}
            <Group justify="flex-end" gap="xs">
              {deed.command && <CopyCommand command={deed.command} />}
              <Button variant="default" disabled={go.isPending} onClick={() => close(false)}>
                Keep them as they are
              </Button>
              <Button type="submit" color={deed.destructive ? 'red' : undefined} loading={go.isPending}>
                {deed.label}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
