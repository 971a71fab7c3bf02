import { Button, Stack as Column, Group, Modal, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useStateRollback } from '../../api/states';
import type { Stack, StateVersion } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

/** Asks before an earlier version of a state becomes the newest one. */
export function Rollback({ stack, to, close }: { stack: Stack; to: StateVersion; close: () => void }) {
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const rollback = useStateRollback(stack.namespace, stack.name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rollback.mutate({ id: to.id, reason }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title={`Roll the state of ${stack.name} back to serial ${to.serial}`} centered>
      <form onSubmit={submit}>
        <Column>
          <Text size="sm">
            A new version with the {to.resources} resources of serial {to.serial} is written; no version is lost. What
            was built since is not touched, and the next plan no longer knows it: look at that plan before you apply it.
          </Text>
          <TextInput
            label="Why"
            description="Kept in the ledger."
            value={reason}
            maxLength={1000}
            onChange={(e) => setReason(e.currentTarget.value)}
          />
          <TextInput
            label={`Type ${stack.name} to go on`}
            value={typed}
            autoComplete="off"
            data-autofocus
            onChange={(e) => setTyped(e.currentTarget.value)}
          />
          <Failure error={rollback.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed state rollback ${stack.namespace}/${stack.name} --to ${to.serial}`} />
            <Button variant="default" onClick={close}>
              Keep it as it is
            </Button>
            <Button type="submit" color="red" loading={rollback.isPending} disabled={typed !== stack.name}>
              Roll back
            </Button>
          </Group>
        </Column>
      </form>
    </Modal>
  );
}
