import { Alert, Button, Group, Select, Stack, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { type Pool, type PoolToken, poolTokens, useNewPoolToken, useRevokePoolToken } from '../../api/pools';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

const day = 86_400_000;

/** The tokens by which agents show that they are of a pool. */
export function PoolTokens({ pool }: { pool: Pool }) {
  const query = useInfiniteQuery(poolTokens(pool.namespace, pool.name));
  const revoke = useRevokePoolToken(pool);
  const [revoking, setRevoking] = useState<PoolToken>();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const full = `${pool.namespace}/${pool.name}`;
  return (
    <>
      <NewToken pool={pool} />
      <Section title="Tokens" flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows count={2} />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="No token yet">Make one above; an agent shows it to be given steps of this pool.</Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Tokens"
            rows={items}
            id={(t) => t.id}
            columns={[
              { name: 'Name', cell: (t) => t.name },
              { name: 'Made', wide: true, width: 140, cell: (t) => <Moment at={t.created} /> },
              { name: 'Last used', width: 140, cell: (t) => (t.used ? <Moment at={t.used} /> : 'never') },
              { name: 'Ends', wide: true, width: 140, cell: (t) => (t.expires ? <Moment at={t.expires} /> : 'never') },
              {
                name: 'State',
                right: true,
                width: 130,
                cell: (t) =>
                  t.revoked ? (
                    <State state="canceled" said="revoked" bare />
                  ) : (
                    <Button
                      size="compact-sm"
                      variant="default"
                      aria-label={`Revoke ${t.name}`}
                      onClick={() => setRevoking(t)}
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
          says="Agents that use this token are refused from now on, and steps that they have go to others or fail. It can't be taken back; a new token can be made."
          label="Revoke it"
          command={`roadbed pool token revoke ${full} ${revoking.id}`}
          busy={revoke.isPending}
          error={revoke.error}
          close={() => setRevoking(undefined)}
          act={() => revoke.mutate(revoking.id, { onSuccess: () => setRevoking(undefined) })}
        />
      )}
    </>
  );
}

function NewToken({ pool }: { pool: Pool }) {
  const make = useNewPoolToken(pool);
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires = days ? new Date(Date.now() + Number(days) * day).toISOString() : undefined;
    make.mutate({ name: name.trim(), expires }, { onSuccess: () => setName('') });
  };
  return (
    <Section
      title="New token"
      actions={<CopyCommand command={`roadbed pool token create ${pool.namespace}/${pool.name} ${name || 'NAME'}`} />}
    >
      <form onSubmit={submit}>
        <Stack>
          <Group align="flex-end" gap="sm">
            <TextInput
              label="Name"
              placeholder="rack-1"
              required
              maxLength={100}
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
            />
            <Select
              label="Ends"
              data={[
                { value: '', label: 'when revoked' },
                { value: '30', label: 'in 30 days' },
                { value: '90', label: 'in 90 days' },
                { value: '365', label: 'in a year' },
              ]}
              value={days}
              allowDeselect={false}
              onChange={(value) => setDays(value ?? '')}
              w={150}
            />
            <Button type="submit" loading={make.isPending} disabled={name.trim() === ''}>
              Make token
            </Button>
          </Group>
          <Failure error={make.error} title="No token was made" />
          {make.data && (
            <Alert color="green" variant="light" role="status" title="Take it along now; it can't be seen again">
              <CopyText label="Token" text={make.data.secret} />
            </Alert>
          )}
        </Stack>
      </form>
    </Section>
  );
}
