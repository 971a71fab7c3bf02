import { Button, Checkbox, Stack as Column, Group, Modal, Text, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Stack } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { taskCommand } from './task';

interface Props {
  stack: Stack;
  busy: boolean;
  error: unknown;
  close: () => void;
  act: (command: string, skipInit: boolean) => void;
}

/** Those that have an init. */
const engines = new Set(['terraform', 'terragrunt']);

/** Asks for the command of a task. */
export function TaskDialog({ stack, busy, error, close, act }: Props) {
  const [command, setCommand] = useState('');
  const [skipInit, setSkipInit] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act(command, skipInit);
  };
  return (
    <Modal opened onClose={close} title={`Run a task on ${stack.name}`} centered size="lg">
      <form onSubmit={submit}>
        <Column>
          <Text size="sm">
            The command is run beside the configuration, with the stack’s state and its environment, under its lock.
            Nobody reviews what it does.
          </Text>
          <Textarea
            label="Command"
            description="Of the shell, in the stack’s folder"
            placeholder={stack.vendor === 'terraform' ? 'tofu state list' : 'ls'}
            autosize
            minRows={2}
            maxRows={12}
            maxLength={8192}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
            value={command}
            data-autofocus
            onChange={(e) => setCommand(e.currentTarget.value)}
          />
          {engines.has(stack.vendor) && (
            <Checkbox
              label="Without init"
              description="Quicker, and works where an init fails; the state is not at hand"
              checked={skipInit}
              onChange={(e) => setSkipInit(e.currentTarget.checked)}
            />
          )}
          <Failure error={error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={taskCommand(`${stack.namespace}/${stack.name}`, command, skipInit)} />
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={command.trim() === ''}>
              Run it
            </Button>
          </Group>
        </Column>
      </form>
    </Modal>
  );
}
