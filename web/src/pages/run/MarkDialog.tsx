import { Button, Group, Modal, Radio, Stack, Text, Textarea } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type Mark, useMark } from '../../api/external';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { markCommand } from './mark';

const choices: { status: Mark; label: string; says: string }[] = [
  { status: 'finished', label: 'Finished', says: 'Runs go on when they wait for nothing else.' },
  { status: 'skipped', label: 'Skipped', says: 'It is not needed this time: runs go on as if it were finished.' },
  { status: 'failed', label: 'Failed', says: 'Runs that wait for it fail. They can be retried.' },
];

interface Props {
  run: string;
  space: string;
  name: string;
  close: () => void;
}

/** Says what became of something outside for which a run waits. */
export default function MarkDialog({ run, space, name, close }: Props) {
  const [status, setStatus] = useState<Mark>('finished');
  const [note, setNote] = useState('');
  const mark = useMark(run);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    mark.mutate({ space, name, status, note: note || undefined }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title={`Mark ${name}`} centered>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">
            It counts for all runs of the space {space}, and of those below, that wait for {name}, and for those that
            begin to within a week.
          </Text>
          <Radio.Group
            label="What became of it"
            value={status}
            onChange={(value) => setStatus(choices.find((c) => c.status === value)?.status ?? 'finished')}
          >
            <Stack gap="xs" mt="xs">
              {choices.map((c) => (
                <Radio key={c.status} value={c.status} label={c.label} description={c.says} />
              ))}
            </Stack>
          </Radio.Group>
          <Textarea
            label="Note"
            description="Such as the address of the build; may be left out."
            autosize
            minRows={2}
            maxLength={1024}
            value={note}
            onChange={(e) => setNote(e.currentTarget.value)}
          />
          <Failure error={mark.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={markCommand(name, status, space)} />
            <Button variant="default" onClick={close}>
              Keep it as it is
            </Button>
            <Button type="submit" color={status === 'failed' ? 'red' : undefined} loading={mark.isPending}>
              Mark as {status}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
