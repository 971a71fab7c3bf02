import { Button, Drawer, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { type Credentials, useImport } from '../../api/hosting';
import { spaces } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { flagsOf, SignIn } from '../../parts/SignIn';

/** Makes a repository of one elsewhere. */
export function Import({ close }: { close: () => void }) {
  const make = useImport();
  const navigate = useNavigate();
  const known = useQuery(spaces).data?.items ?? [];
  const [url, setURL] = useState('');
  const [name, setName] = useState('');
  const [space, setSpace] = useState<string | null>(null);
  const [credentials, setCredentials] = useState<Credentials>({});
  const [every, setEvery] = useState<string | null>(null);
  const called = name || (url.replace(/\/+$/, '').split('/').pop() ?? '').replace(/\.git$/, '').toLowerCase();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const [first, second] = called.split('/');
    make.mutate(
      {
        namespace: second ? first : undefined,
        name: second ?? first ?? '',
        space: space ?? undefined,
        import: { url, ...credentials, every: every ?? undefined },
      },
      { onSuccess: (r) => navigate({ to: `/repositories/${r.namespace}/${r.name}` }) },
    );
  };
  return (
    <Drawer opened onClose={close} position="right" size="md" title="Import a repository">
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm" c="dimmed">
            Its branches and tags come here. No workflow starts for what comes.
          </Text>
          <TextInput
            label="Address"
            placeholder="https://git.example.com/acme/shop.git"
            required
            data-autofocus
            value={url}
            onChange={(e) => setURL(e.currentTarget.value)}
          />
          <TextInput
            label="Name here"
            description="NAMESPACE/NAME"
            placeholder={called}
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <Select
            label="Space"
            placeholder="The root space"
            clearable
            searchable
            data={known.map((s) => s.name)}
            value={space}
            onChange={setSpace}
          />
          <SignIn space={space ?? 'default'} value={credentials} set={setCredentials} />
          <Select
            label="How often"
            placeholder="Once"
            description="A repository that goes on to follow the other one is not changed here."
            clearable
            data={[
              { value: '15m', label: 'Every quarter of an hour' },
              { value: '1h', label: 'Every hour' },
              { value: '24h', label: 'Every day' },
            ]}
            value={every}
            onChange={setEvery}
          />
          <Failure error={make.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand
              command={`roadbed repo import ${url || 'URL'} ${called}${space ? ` --space ${space}` : ''}${every ? ` --every ${every}` : ''}${flagsOf(credentials)}`}
            />
            <Button type="submit" loading={make.isPending}>
              Import it
            </Button>
          </Group>
        </Stack>
      </form>
    </Drawer>
  );
}
