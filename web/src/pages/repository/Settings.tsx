import { Button, Checkbox, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useDeleteRepository, useSettings } from '../../api/hosting';
import { spaces } from '../../api/queries';
import type { Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Section } from '../../parts/Page';
import { Mirrors } from './Mirrors';

/** What a repository is set to, where it is pushed on to, and its end. */
export default function Settings({ repo }: { repo: Repository }) {
  return (
    <Stack>
      <General repo={repo} />
      {!repo.outside && <Mirrors repo={repo} />}
      {!repo.outside && <Danger repo={repo} />}
    </Stack>
  );
}

function General({ repo }: { repo: Repository }) {
  const change = useSettings(repo);
  const [description, setDescription] = useState(repo.description ?? '');
  const [branch, setBranch] = useState(repo.defaultBranch);
  const [kept, setKept] = useState(repo.protected);
  const [checked, setChecked] = useState(repo.secretCheck);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const ours = repo.outside ? {} : { defaultBranch: branch, protected: kept };
    change.mutate({ ...ours, description, secretCheck: checked });
  };
  return (
    <Section
      title="General"
      actions={<CopyCommand command={`roadbed repo set ${full(repo)} --secret-check=${checked}`} />}
    >
      <form onSubmit={submit}>
        <Stack maw={560}>
          <TextInput
            label="Description"
            maxLength={1000}
            value={description}
            onChange={(e) => setDescription(e.currentTarget.value)}
          />
          {repo.outside ? (
            <Text size="sm" c="dimmed">
              The name, the default branch, what protects it, and whether it is archived are the forge's: change them
              there. To have it in another space, disconnect it and connect it there.
            </Text>
          ) : (
            <>
              <TextInput
                label="Default branch"
                description="It is shown and cloned first."
                required
                value={branch}
                onChange={(e) => setBranch(e.currentTarget.value)}
              />
              <Checkbox
                label="No push rewrites or deletes the default branch"
                checked={kept}
                onChange={(e) => setKept(e.currentTarget.checked)}
              />
            </>
          )}
          <Checkbox
            label={`${repo.outside ? 'An edit here' : 'A push'} that brings what looks like a secret is refused`}
            checked={checked}
            onChange={(e) => setChecked(e.currentTarget.checked)}
          />
          <Failure error={change.error} />
          <Group>
            <Button type="submit" loading={change.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

function Danger({ repo }: { repo: Repository }) {
  const navigate = useNavigate();
  const change = useSettings(repo);
  const remove = useDeleteRepository(repo);
  const known = useQuery(spaces).data?.items ?? [];
  const [name, setName] = useState(full(repo));
  const [space, setSpace] = useState<string>(repo.space);
  const [asks, setAsks] = useState<'archive' | 'delete'>();
  const close = () => setAsks(undefined);
  const move = () =>
    change.mutate(
      { name, space },
      { onSuccess: (now) => navigate({ to: `/repositories/${now.namespace}/${now.name}?tab=settings` }) },
    );
  return (
    <Section title="Move, archive, delete">
      <Stack maw={560}>
        <TextInput
          label="Name"
          description="The old name leads to the new one, until another repository takes it."
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <Select
          label="Space"
          description="Its rights hold from then on."
          allowDeselect={false}
          searchable
          data={[...new Set([repo.space, ...known.map((s) => s.name)])]}
          value={space}
          onChange={(value) => setSpace(value ?? repo.space)}
        />
        <Failure error={change.error} />
        <Group>
          <Button
            variant="default"
            disabled={name === full(repo) && space === repo.space}
            loading={change.isPending}
            onClick={move}
          >
            Move it
          </Button>
          <Button variant="default" onClick={() => setAsks('archive')}>
            {repo.archived ? 'Take it out of the archive' : 'Archive it'}
          </Button>
          <Button color="red" variant="light" onClick={() => setAsks('delete')}>
            Delete it
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          A deleted repository can be restored for some days.
        </Text>
      </Stack>
      {asks === 'archive' && (
        <Ask
          title={repo.archived ? `Take ${full(repo)} out of the archive` : `Archive ${full(repo)}`}
          says={repo.archived ? 'It can be changed again.' : 'It can be read, and nobody can change it.'}
          label={repo.archived ? 'Take it out' : 'Archive it'}
          command={`roadbed repo ${repo.archived ? 'unarchive' : 'archive'} ${full(repo)}`}
          busy={change.isPending}
          error={change.error}
          close={close}
          act={() => change.mutate({ archived: !repo.archived }, { onSuccess: close })}
        />
      )}
      {asks === 'delete' && (
        <Ask
          title={`Delete ${full(repo)}`}
          says="It is hidden at once, with its proposals and images, and removed for good after some days. Until then it can be restored from the list of repositories."
          label="Delete it"
          name={full(repo)}
          command={`roadbed repo delete ${full(repo)}`}
          busy={remove.isPending}
          error={remove.error}
          close={close}
          act={() => remove.mutate(undefined, { onSuccess: () => navigate({ to: '/repositories' }) })}
        />
      )}
    </Section>
  );
}

const full = (repo: Repository) => `${repo.namespace}/${repo.name}`;
