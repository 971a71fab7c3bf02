import { Button, Stack as Column, Group, Modal, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

interface Props {
  /** What is taken back: "network 1.0.0". */
  what: string;
  command: string;
  busy: boolean;
  error: unknown;
  yank: (reason: string) => void;
  close: () => void;
}

/** Takes a version of a module or a provider back. */
export function YankDialog({ what, command, busy, error, yank, close }: Props) {
  const [reason, setReason] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    yank(reason);
  };
  return (
    <Modal opened onClose={close} title={`Yank ${what}`} centered>
      <form onSubmit={submit}>
        <Column>
          <Text size="sm">
            Configurations that install anew are not offered it any more, also those that name exactly this version.
            What is applied stays as it is.
          </Text>
          <TextInput
            label="Why"
            description="Shown to whoever uses the version."
            value={reason}
            required
            maxLength={1000}
            data-autofocus
            onChange={(e) => setReason(e.currentTarget.value)}
          />
          <Failure error={error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`${command} --reason WHY`} />
            <Button variant="default" onClick={close}>
              Keep it
            </Button>
            <Button type="submit" color="red" loading={busy} disabled={reason.trim() === ''}>
              Yank
            </Button>
          </Group>
        </Column>
      </form>
    </Modal>
  );
}
