import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { CopyCommand } from './CopyCommand';
import { Failure } from './Failure';

interface Props {
  title: string;
  /** What it will do. */
  says: string;
  label: string;
  command: string;
  busy: boolean;
  error: unknown;
  /** Must be typed before it is done. */
  name?: string;
  /** It destroys nothing by itself. */
  calm?: boolean;
  close: () => void;
  act: () => void;
}

/** Asks before something is done that has consequences. */
export function Ask({ title, says, label, command, busy, error, name, calm, close, act }: Props) {
  const [typed, setTyped] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act();
  };
  return (
    <Modal opened onClose={close} title={title} centered>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">{says}</Text>
          {name && (
            <TextInput
              label={`Type ${name} to go on`}
              value={typed}
              autoComplete="off"
              data-autofocus
              onChange={(e) => setTyped(e.currentTarget.value)}
            />
          )}
          <Failure error={error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={command} />
            <Button variant="default" onClick={close}>
              Keep it as it is
            </Button>
            <Button
              type="submit"
              color={calm ? undefined : 'red'}
              loading={busy}
              disabled={Boolean(name) && typed !== name}
            >
              {label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
