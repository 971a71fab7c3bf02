import {
  Anchor,
  Autocomplete,
  Button,
  Checkbox,
  Group,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { type Credentials, useAddMirror } from '../../api/hosting';
import { forges, offers } from '../../api/outside';
import type { Repository } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { flagsOf, SignIn } from '../../parts/SignIn';

/** Has branches and tags pushed on to an address, or to a repository of a forge that is connected. */
export function AddMirror({ repo, close }: { repo: Repository; close: () => void }) {
  const add = useAddMirror(repo);
  const known = useQuery(forges);
  const all = known.data?.items ?? [];
  const [where, setWhere] = useState<'address' | 'forge'>('address');
  const [url, setURL] = useState('');
  const [picked, setPicked] = useState<string | null>(null);
  const [remote, setRemote] = useState('');
  const [credentials, setCredentials] = useState<Credentials>({});
  const [patterns, setPatterns] = useState('');
  const [every, setEvery] = useState('1h');
  const [force, setForce] = useState(false);
  const atForge = where === 'forge';
  const integration = picked ?? (all[0] ? `${all[0].namespace}/${all[0].name}` : '');
  const only = patterns.split(/[\s,]+/).filter(Boolean);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const rest = { every, force, patterns: only.length > 0 ? only : undefined };
    add.mutate(atForge ? { ...rest, url: remote.trim(), integration } : { ...rest, ...credentials, url: url.trim() }, {
      onSuccess: close,
    });
  };
  const to = atForge ? `${remote || 'OWNER/NAME'} --integration ${integration}` : (url || 'URL') + flagsOf(credentials);
  const flags = `${only.map((p) => ` --pattern '${p}'`).join('')}${every === '1h' ? '' : ` --every ${every}`}${force ? ' --force' : ''}`;
  return (
    <form onSubmit={submit}>
      <Stack p="md" maw={592}>
        <SegmentedControl
          aria-label="Where to"
          data={[
            { value: 'address', label: 'To an address' },
            { value: 'forge', label: 'To a connected forge' },
          ]}
          value={where}
          onChange={(value) => setWhere(value as typeof where)}
        />
        {!atForge && (
          <>
            <TextInput
              label="Address"
              placeholder="https://git.example.com/acme/shop.git"
              description="The repository has to be there already; an empty one is best."
              type="url"
              required
              maxLength={1000}
              value={url}
              onChange={(e) => setURL(e.currentTarget.value)}
            />
            <SignIn space={repo.space} value={credentials} set={setCredentials} />
          </>
        )}
        {atForge && known.isError && <Failure error={known.error} retry={() => known.refetch()} />}
        {atForge && known.isSuccess && all.length === 0 && (
          <Text size="sm">
            No forge is connected that you may see.{' '}
            <Anchor component={Link} to="/integrations/connect" size="sm">
              Connect a forge
            </Anchor>
          </Text>
        )}
        {atForge && all.length > 0 && (
          <AtForge
            all={all.map((i) => `${i.namespace}/${i.name}`)}
            integration={integration}
            pick={setPicked}
            remote={remote}
            setRemote={setRemote}
          />
        )}
        <TextInput
          label="Only these branches and tags"
          description="All of them when this is empty; a star stands for any part of a name."
          placeholder="main, release/*, refs/tags/v*"
          value={patterns}
          onChange={(e) => setPatterns(e.currentTarget.value)}
        />
        <Select
          label="Without a push"
          description="Each push here goes on at once; now and then it is looked whether something is missing there."
          allowDeselect={false}
          data={[
            { value: '15m', label: 'Look every quarter of an hour' },
            { value: '1h', label: 'Look every hour' },
            { value: '24h', label: 'Look every day' },
          ]}
          value={every}
          onChange={(value) => setEvery(value ?? '1h')}
        />
        <Checkbox
          label="Overwrite and delete there what is not from here"
          description="Without it, what others pushed there stays, and the mirror says so."
          checked={force}
          onChange={(e) => setForce(e.currentTarget.checked)}
        />
        <Failure error={add.error} title="It was not added" />
        <Group gap="xs">
          <Button type="submit" loading={add.isPending} disabled={atForge && !(integration && remote.trim())}>
            Add it
          </Button>
          <Button variant="default" onClick={close}>
            Not now
          </Button>
          <CopyCommand command={`roadbed repo mirror add ${repo.namespace}/${repo.name} ${to}${flags}`} />
        </Group>
      </Stack>
    </form>
  );
}

interface AtForgeProps {
  all: string[];
  integration: string;
  pick: (integration: string | null) => void;
  remote: string;
  setRemote: (remote: string) => void;
}

/** A repository of a forge, of those that its credentials see, or one that is typed. */
function AtForge({ all, integration, pick, remote, setRemote }: AtForgeProps) {
  const seen = useInfiniteQuery(offers(integration, ''));
  const names = seen.data?.pages.flatMap((p) => p.items.filter((o) => !o.archived).map((o) => o.remote)) ?? [];
  return (
    <>
      <Select
        label="Forge"
        description="It is pushed to with the credentials of this integration."
        allowDeselect={false}
        data={all}
        value={integration}
        onChange={pick}
      />
      <Autocomplete
        label="Repository there"
        description="It has to be there already; an empty one is best."
        placeholder="OWNER/NAME"
        required
        maxLength={300}
        data={names}
        limit={20}
        value={remote}
        onChange={setRemote}
      />
    </>
  );
}
