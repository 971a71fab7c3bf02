import { Alert, Button, Group, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useNewToken, useRevokeToken } from '../../api/actions';
import { me, tokens } from '../../api/queries';
import type { Token } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

const day = 86_400_000;

/** The reader's own tokens: what git, the command line and scripts sign in with. */
export function Tokens() {
  const query = useInfiniteQuery(tokens);
  const [revoking, setRevoking] = useState<Token>();
  const revoke = useRevokeToken();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Tokens"
      about="What git, the command line and scripts sign in with, as you and with your rights at most."
    >
      <NewToken />
      <Section title="Your tokens" flush>
        <Failure error={query.error} retry={() => query.refetch()} />
        {query.isPending && <Rows count={3} />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="No token yet">Make one above to use git or the CLI.</Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Your tokens"
            rows={items}
            id={(t) => t.id}
            columns={[
              { name: 'Name', cell: (t) => t.name },
              { name: 'May', wide: true, cell: (t) => (t.scopes?.length ? t.scopes.join(', ') : 'all that you may') },
              { name: 'Made', wide: true, width: 140, cell: (t) => <Moment at={t.created} /> },
              { name: 'Last used', wide: true, width: 140, cell: (t) => (t.used ? <Moment at={t.used} /> : 'never') },
              { name: 'Ends', width: 140, cell: (t) => (t.expires ? <Moment at={t.expires} /> : 'never') },
              {
                name: 'State',
                right: true,
                width: 150,
                cell: (t) =>
                  t.revoked ? (
                    <State state="canceled" said="revoked" bare />
                  ) : (
                    <Button
                      size="compact-sm"
                      variant="default"
                      onClick={() => setRevoking(t)}
                      aria-label={`Revoke ${t.name}`}
                    >
                      Revoke
                    </Button>
                  ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {revoking && (
        <Ask
          title={`Revoke ${revoking.name}`}
          says="Whatever uses this token is refused from now on. It can't be taken back; a new token can be made."
          label="Revoke it"
          command={`roadbed token revoke ${revoking.id}`}
          busy={revoke.isPending}
          error={revoke.error}
          close={() => setRevoking(undefined)}
          act={() => revoke.mutate(revoking.id, { onSuccess: () => setRevoking(undefined) })}
        />
      )}
    </Page>
  );
}

function NewToken() {
  const who = useQuery(me).data;
  const make = useNewToken();
  const [name, setName] = useState('');
  const [days, setDays] = useState('30');
  const [scopes, setScopes] = useState<string[]>([]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires = new Date(Date.now() + Number(days) * day).toISOString();
    make.mutate(
      { name: name.trim(), expires, scopes: scopes.length > 0 ? scopes : undefined },
      {
        onSuccess: () => {
          setName('');
          setScopes([]);
        },
      },
    );
  };
  return (
    <Section title="New token" actions={<CopyCommand command={`roadbed token create ${name || 'NAME'}`} />}>
      <form onSubmit={submit}>
        <Stack>
          <Group align="flex-end" gap="sm">
            <TextInput
              label="Name"
              placeholder="laptop"
              required
              maxLength={100}
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
            />
            <Select
              label="Ends in"
              data={['1', '7', '30', '90', '365'].map((d) => ({
                value: d,
                label: `${d} ${d === '1' ? 'day' : 'days'}`,
              }))}
              value={days}
              allowDeselect={false}
              onChange={(value) => setDays(value ?? '30')}
              w={120}
            />
            <TagsInput
              label="Only for (optional)"
              placeholder={scopes.length ? '' : 'run:*, repository:write'}
              value={scopes}
              onChange={setScopes}
              style={{ flex: 1, minWidth: 220 }}
            />
            <Button type="submit" loading={make.isPending} disabled={name.trim() === ''}>
              Make token
            </Button>
          </Group>
          <Failure error={make.error} title="No token was made" />
          {make.data && (
            <Alert color="green" variant="light" role="status" title="Take it along now; it can't be seen again">
              <Stack gap="sm">
                <CopyText label="Token" text={make.data.secret} />
                <CopyText
                  label="The command line in this shell"
                  text={`export ROADBED_URL=${window.location.origin} ROADBED_TOKEN=${make.data.secret}`}
                />
                <span>git asks for a name and a password: {who?.name ?? 'any name'} and the token.</span>
              </Stack>
            </Alert>
          )}
        </Stack>
      </form>
    </Section>
  );
}
