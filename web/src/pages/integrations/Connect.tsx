import {
  Alert,
  Button,
  Checkbox,
  Group,
  PasswordInput,
  SegmentedControl,
  Select,
  Stack,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useConnect } from '../../api/actions';
import { integration, integrations, secrets as secretsQuery, spaces } from '../../api/queries';
import { Block } from '../../parts/Block';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Page, Section } from '../../parts/Page';
import { type Declared, documentOf, type Forge, forges, newSecret, wrongName } from './declare';

const anew = '\u0000new';

/** Makes the document of a forge from a form, sets its secrets, and declares it. */
export function Connect() {
  const [forge, setForge] = useState<Forge>('github');
  const [typed, setTyped] = useState('');
  const [space, setSpace] = useState('default');
  const [url, setURL] = useState('');
  const [by, setBy] = useState<'token' | 'app'>('token');
  const [chosen, setChosen] = useState<string>(anew);
  const [value, setValue] = useState('');
  const [app, setApp] = useState({ id: '', account: '' });
  const [owners, setOwners] = useState<string[]>([]);
  const [hooked, setHooked] = useState(true);
  const [hook] = useState(newSecret);
  const known = useQuery(spaces);
  const there = useQuery(secretsQuery(space));
  const others = useInfiniteQuery(integrations);
  const connect = useConnect();

  const about = forges.find((f) => f.value === forge) ?? forges[0];
  const taken = others.data?.pages.flatMap((p) => p.items.map((i) => i.name)) ?? [];
  const name = typed || forge;
  const wrong = wrongName(name, taken);
  const asApp = forge === 'github' && by === 'app';
  const names = there.data?.items.map((s) => s.name) ?? [];
  const free = (base: string) => {
    for (let n = 1; ; n++) {
      const one = n === 1 ? base : `${base}-${n}`;
      if (!names.includes(one)) return one;
    }
  };
  const own = chosen === anew ? free(`${name}-${asApp ? 'app-key' : 'token'}`) : chosen;
  const hookName = free(`${name}-hook`);
  const declared: Declared = {
    name,
    forge,
    url: url.trim(),
    owners,
    token: asApp ? undefined : `${space}/${own}`,
    app: asApp ? { ...app, key: `${space}/${own}` } : undefined,
    webhook: hooked ? `${space}/${hookName}` : undefined,
  };
  const ready =
    !wrong &&
    (chosen !== anew || value.trim() !== '') &&
    (forge !== 'gitea' || url.trim() !== '') &&
    (!asApp || app.id.trim() !== '');

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const secrets: Record<string, string> = {};
    if (chosen === anew) secrets[own] = value;
    if (hooked) secrets[hookName] = hook;
    connect.mutate({ space, secrets, documents: documentOf(declared) });
  };

  if (connect.data) return <Connected name={name} hook={hooked ? hook : undefined} />;
  return (
    <Page
      title="Connect a forge"
      about="Its credentials become a secret, which is never shown again, and the rest a document."
    >
      <Section>
        <form onSubmit={submit}>
          <Stack maw={640}>
            <Group grow align="flex-start">
              <Select
                label="Forge"
                data={forges}
                value={forge}
                allowDeselect={false}
                onChange={(v) => setForge((v as Forge | null) ?? 'github')}
              />
              <TextInput
                label="Name"
                placeholder={forge}
                maxLength={40}
                value={typed}
                error={wrong}
                onChange={(e) => setTyped(e.currentTarget.value)}
              />
              <Select
                label="Space"
                data={known.data?.items.map((s) => s.name) ?? ['default']}
                value={space}
                allowDeselect={false}
                searchable
                onChange={(v) => {
                  setSpace(v ?? 'default');
                  setChosen(anew);
                }}
              />
            </Group>
            <TextInput
              label="Address"
              type="url"
              placeholder={about?.url || 'https://git.example.com'}
              required={forge === 'gitea'}
              maxLength={500}
              value={url}
              onChange={(e) => setURL(e.currentTarget.value)}
            />
            {forge === 'github' && (
              <SegmentedControl
                aria-label="Sign in by"
                data={[
                  { value: 'token', label: 'By a token' },
                  { value: 'app', label: 'As a GitHub App' },
                ]}
                value={by}
                onChange={(v) => setBy(v as 'token' | 'app')}
              />
            )}
            {asApp && (
              <Group grow align="flex-start">
                <TextInput
                  label="App ID"
                  required
                  maxLength={100}
                  value={app.id}
                  onChange={(e) => setApp({ ...app, id: e.currentTarget.value })}
                />
                <TextInput
                  label="Installed on"
                  placeholder="organization"
                  maxLength={100}
                  value={app.account}
                  onChange={(e) => setApp({ ...app, account: e.currentTarget.value })}
                />
              </Group>
            )}
            <Select
              label={asApp ? 'Private key' : 'Token'}
              description={asApp ? 'The .pem file that GitHub made' : about?.token}
              data={[
                { value: anew, label: 'Set a new secret' },
                ...names.map((n) => ({ value: n, label: `${space}/${n}` })),
              ]}
              value={chosen}
              allowDeselect={false}
              searchable={names.length > 8}
              onChange={(v) => setChosen(v ?? anew)}
            />
            {chosen === anew &&
              (asApp ? (
                <Textarea
                  label="Its text"
                  required
                  autosize
                  minRows={4}
                  maxRows={10}
                  spellCheck={false}
                  autoComplete="off"
                  value={value}
                  onChange={(e) => setValue(e.currentTarget.value)}
                />
              ) : (
                <PasswordInput
                  label="Its value"
                  required
                  autoComplete="off"
                  value={value}
                  onChange={(e) => setValue(e.currentTarget.value)}
                />
              ))}
            <TagsInput
              label="Only for the organizations (optional)"
              placeholder={owners.length > 0 ? '' : 'all that the credentials see'}
              maxTags={20}
              value={owners}
              onChange={setOwners}
            />
            <Checkbox
              label="Take webhooks: make a secret that they are signed with"
              checked={hooked}
              onChange={(e) => setHooked(e.currentTarget.checked)}
            />
            <Failure error={connect.error} title="It is not connected" />
            <Group justify="flex-end">
              <Button component={Link} to="/integrations" variant="default">
                Back
              </Button>
              <Button type="submit" loading={connect.isPending} disabled={!ready}>
                Connect
              </Button>
            </Group>
          </Stack>
        </form>
      </Section>
      <Section title="The document">
        <Block text={documentOf(declared)} />
      </Section>
    </Page>
  );
}

function Connected({ name, hook }: { name: string; hook?: string }) {
  const made = useQuery(integration('default', name.toLowerCase()));
  return (
    <Page title="Connected" about={`${name} is declared, and is being tried.`}>
      <Section>
        <Stack maw={640}>
          {hook && (
            <Alert
              color="green"
              variant="light"
              role="status"
              title="For the forge's webhooks; the secret can't be seen again"
            >
              <Stack gap="sm">
                {made.data && <CopyText label="Address" text={made.data.hook} />}
                <CopyText label="Secret" text={hook} />
                <span>Their content is application/json.</span>
              </Stack>
            </Alert>
          )}
          <Group>
            <Button
              renderRoot={(props) => (
                <Link
                  to="/integrations/$namespace/$name"
                  params={{ namespace: 'default', name: name.toLowerCase() }}
                  {...props}
                />
              )}
            >
              See how it does
            </Button>
          </Group>
        </Stack>
      </Section>
    </Page>
  );
}
