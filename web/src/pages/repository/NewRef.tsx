import { Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type RefKind, useCreateRef } from '../../api/code';
import type { Repository } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';

interface Props {
  repo: Repository;
  kind: RefKind;
  close: () => void;
}

/** Makes a branch or a tag at a commit. */
export function NewRef({ repo, kind, close }: Props) {
  const make = useCreateRef(repo);
  const [name, setName] = useState('');
  const [at, setAt] = useState('');
  const [message, setMessage] = useState('');
  const isTag = kind === 'tags';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate(
      { kind, name: name.trim(), at: at.trim(), message: isTag ? message.trim() || undefined : undefined },
      { onSuccess: close },
    );
  };
  const verb = `roadbed repo ${isTag ? 'tag' : 'branch'} ${repo.namespace}/${repo.name}`;
  return (
    <Modal opened onClose={close} title={isTag ? 'New tag' : 'New branch'} centered>
      <form onSubmit={submit}>
        <Stack>
          <TextInput
            label="Name"
            placeholder={isTag ? 'v1.0.0' : 'feature/login'}
            required
            maxLength={200}
            data-autofocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="At"
            description="A branch, a tag or a commit."
            placeholder={repo.defaultBranch}
            maxLength={250}
            value={at}
            onChange={(e) => setAt(e.currentTarget.value)}
          />
          {isTag && (
            <Textarea
              label="Message"
              description="What is in it; without one it is only a name."
              autosize
              minRows={3}
              maxLength={65_536}
              value={message}
              onChange={(e) => setMessage(e.currentTarget.value)}
            />
          )}
          <Failure error={make.error} title="It was not made" />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`${verb} ${name || 'NAME'}${at ? ` --ref ${at}` : ''}`} />
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={make.isPending} disabled={!name.trim()}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
