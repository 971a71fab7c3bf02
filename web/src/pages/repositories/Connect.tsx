import { Button, Drawer, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { forges, type NewConnection, offers, useConnect } from '../../api/outside';
import { spaces } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows } from '../../parts/Page';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

/** Lists what the forges offer, and connects what is chosen. */
export function Connect({ close }: { close: () => void }) {
  const known = useQuery(forges);
  const all = known.data?.items ?? [];
  const [picked, setPicked] = useState<string | null>(null);
  const integration = picked ?? (all[0] ? `${all[0].namespace}/${all[0].name}` : '');
  const [space, setSpace] = useState<string | null>(null);
  const [namespace, setNamespace] = useState('');
  const [text, setText] = useState('');
  const at = useQuery(spaces).data?.items ?? [];
  return (
    <Drawer opened onClose={close} position="right" size="xl" title="Connect a repository of a forge">
      <Stack>
        <Text size="sm" c="dimmed">
          It is read and followed from here, and developers go on pushing to the forge, where nothing changes.
        </Text>
        {known.isError && <Failure error={known.error} retry={() => known.refetch()} />}
        {known.isSuccess && all.length === 0 && (
          <Empty
            title="No forge is connected that you may see"
            action={
              <Button component={Link} to="/integrations/connect">
                Connect a forge
              </Button>
            }
          >
            An administrator says which forge it is, and with whose credentials it is read.
          </Empty>
        )}
        {all.length > 0 && (
          <>
            <Group grow align="end">
              <Select
                label="Forge"
                allowDeselect={false}
                data={all.map((i) => ({
                  value: `${i.namespace}/${i.name}`,
                  label: i.namespace === 'default' ? i.name : `${i.namespace}/${i.name}`,
                }))}
                value={integration}
                onChange={setPicked}
              />
              <Select
                label="Space here"
                placeholder="The root space"
                clearable
                searchable
                data={at.map((s) => s.name)}
                value={space}
                onChange={setSpace}
              />
              <TextInput
                label="Namespace here"
                placeholder="default"
                maxLength={63}
                value={namespace}
                onChange={(e) => setNamespace(e.currentTarget.value)}
              />
            </Group>
            <TextInput
              aria-label="Part of a name"
              placeholder="Part of a name"
              value={text}
              onChange={(e) => setText(e.currentTarget.value)}
            />
            {integration && (
              <Offers
                text={text.trim().toLowerCase()}
                to={{ integration, space: space ?? undefined, namespace: namespace.trim() || undefined }}
              />
            )}
          </>
        )}
      </Stack>
    </Drawer>
  );
}

function Offers({ text, to }: { text: string; to: Omit<NewConnection, 'remote'> }) {
  const query = useInfiniteQuery(offers(to.integration, ''));
  const connect = useConnect();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const shown = items.filter((o) => o.remote.toLowerCase().includes(text));
  return (
    <>
      {query.isError && (
        <Failure error={query.error} title="What it offers can't be seen" retry={() => query.refetch()} />
      )}
      <Failure error={connect.error} title={`${connect.variables?.remote} was not connected`} />
      {query.isPending && <Rows />}
      {query.isSuccess && shown.length === 0 && (
        <Empty title={items.length ? 'None of those that were read so far is called that' : 'The forge offers none'}>
          The integration's credentials see what is listed here.
        </Empty>
      )}
      {shown.length > 0 && (
        <Table
          label="Repositories of the forge"
          rows={shown}
          id={(o) => o.remote}
          columns={[
            {
              name: 'At the forge',
              cell: (o) => (
                <Group gap="xs">
                  {o.remote}
                  {o.private && <State state="private" bare />}
                  {o.archived && <State state="archived" bare />}
                </Group>
              ),
            },
            { name: 'Changed', right: true, width: 130, cell: (o) => <Moment at={o.changed} /> },
            {
              name: 'Here',
              right: true,
              width: 180,
              cell: (o) => {
                if (o.repository) return <RepositoryLink name={o.repository} />;
                if (o.connected) return 'connected';
                return (
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    <CopyCommand command={`roadbed repo connect ${to.integration} ${o.remote}`} />
                    <Button
                      size="compact-xs"
                      loading={connect.isPending && connect.variables.remote === o.remote}
                      onClick={() => connect.mutate({ ...to, remote: o.remote })}
                    >
                      Connect
                    </Button>
                  </Group>
                );
              },
            },
          ]}
        />
      )}
      <More query={query} />
    </>
  );
}
