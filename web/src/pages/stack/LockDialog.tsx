import { Button, Stack as Column, Group, Modal, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useLock } from '../../api/states';
import type { Stack } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

/** Takes the lock of a state as a person. */
export function LockDialog({ stack, close }: { stack: Stack; close: () => void }) {
  const [reason, setReason] = useState('');
  const lock = useLock(stack.namespace, stack.name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    lock.mutate(reason, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title={`Lock the state of ${stack.name}`} centered>
      <form onSubmit={submit}>
        <Column>
          <Text size="sm">
            Nobody writes it until it is freed: engines are refused, and runs of the stack wait in its queue.
          </Text>
          <TextInput
            label="Why"
            description="Shown to whoever is held back."
            value={reason}
            maxLength={1000}
            data-autofocus
            onChange={(e) => setReason(e.currentTarget.value)}
          />
          <Failure error={lock.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed state lock ${stack.namespace}/${stack.name}`} />
            <Button variant="default" onClick={close}>
              Keep it free
            </Button>
            <Button type="submit" loading={lock.isPending}>
              Lock
            </Button>
          </Group>
        </Column>
      </form>
    </Modal>
  );
}
