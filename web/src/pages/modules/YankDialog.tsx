import { Button, Stack as Column, Group, Modal, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useModuleVersion } from '../../api/registry';
import type { TerraformModule } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

/** Takes a version of a module back. */
export function YankDialog({ m, version, close }: { m: TerraformModule; version: string; close: () => void }) {
  const [reason, setReason] = useState('');
  const act = useModuleVersion(m.namespace, m.name, version);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act.mutate({ verb: 'yank', reason }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={close} title={`Yank ${m.name} ${version}`} centered>
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
          <Failure error={act.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed module yank ${m.namespace}/${m.name} ${version} --reason WHY`} />
            <Button variant="default" onClick={close}>
              Keep it
            </Button>
            <Button type="submit" color="red" loading={act.isPending} disabled={reason.trim() === ''}>
              Yank
            </Button>
          </Group>
        </Column>
      </form>
    </Modal>
  );
}
