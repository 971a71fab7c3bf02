import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useRunAction, type Verb } from '../../api/actions';
import type { Run } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { command, undoName, verbWords } from './verbs';

export default function ActionDialog({ run, verb, close }: { run: Run; verb: Verb; close: () => void }) {
  const [note, setNote] = useState('');
  const [seen] = useState(run); // what comes while the dialog is open was not seen
  const action = useRunAction(seen);
  const navigate = useNavigate();
  const words = verbWords[verb];
  if (verb === 'undo') {
    return (
      <Ask
        title={`${words.label}: ${run.title}`}
        says={words.says}
        label={words.label}
        name={undoName(run)}
        command={command(verb, run.id)}
        busy={action.isPending}
        error={action.error}
        close={close}
        act={() => action.mutate({ verb }, { onSuccess: close })}
      />
    );
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.mutate(
      { verb, note },
      {
        onSuccess: (made) => {
          close();
          if (made.id !== run.id) void navigate({ to: '/runs/$id', params: { id: made.id } });
        },
      },
    );
  };
  return (
    <Modal opened onClose={close} title={`${words.label}: ${run.title}`} centered>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">{words.says}</Text>
          {words.takesNote && (
            <Textarea
              label="Note"
              description="Kept with the run and in the ledger; may be left out."
              autosize
              minRows={2}
              maxLength={4096}
              value={note}
              data-autofocus
              onChange={(e) => setNote(e.currentTarget.value)}
            />
          )}
          <Failure error={action.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={command(verb, run.id)} />
            <Button variant="default" onClick={close}>
              Keep it as it is
            </Button>
            <Button type="submit" color={words.destructive ? 'red' : undefined} loading={action.isPending}>
              {words.label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
