import { Button, Group, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { mirrors, useMirrorDeed } from '../../api/hosting';
import type { Mirror, Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { AddMirror } from './AddMirror';

/** Where branches and tags are pushed on to. */
export function Mirrors({ repo }: { repo: Repository }) {
  const query = useInfiniteQuery(mirrors(repo));
  const deed = useMirrorDeed(repo);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Mirror>();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section
      title="Mirrors"
      flush
      actions={
        <Button size="compact-sm" variant="default" onClick={() => setAdding(!adding)}>
          Add a mirror
        </Button>
      }
    >
      {adding && <AddMirror repo={repo} close={() => setAdding(false)} />}
      {query.isPending && <Rows count={2} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isSuccess && items.length === 0 && !adding && (
        <Empty title="No mirrors">Each push here can go on to another repository.</Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Mirrors"
          rows={items}
          id={(m) => m.id}
          columns={[
            {
              name: 'To',
              cell: (m) => (
                <div>
                  {m.integration ? `${m.url} at ${m.integration}` : m.url}
                  {m.error && (
                    <Text size="sm" c="red">
                      {m.error}
                    </Text>
                  )}
                </div>
              ),
            },
            { name: 'State', width: 130, cell: (m) => <Standing of={m} /> },
            {
              name: 'Pushed',
              wide: true,
              width: 130,
              cell: (m) => (m.pushed ? <Moment at={m.pushed} /> : 'never'),
            },
            {
              name: 'Next',
              right: true,
              width: 120,
              cell: (m) => (
                <Group gap="xs" justify="flex-end">
                  <Button size="compact-sm" variant="default" onClick={() => deed.mutate({ id: m.id, deed: 'push' })}>
                    Push now
                  </Button>
                  <Button size="compact-sm" variant="default" onClick={() => setRemoving(m)}>
                    Remove
                  </Button>
                </Group>
              ),
            },
          ]}
        />
      )}
      <More query={query} />
      {removing && (
        <Ask
          title="Remove the mirror"
          says={`Nothing more is pushed to ${removing.url}; what is there stays.`}
          label="Remove it"
          command={`roadbed repo mirror remove ${repo.namespace}/${repo.name} ${removing.id}`}
          busy={deed.isPending}
          error={deed.error}
          close={() => setRemoving(undefined)}
          act={() => deed.mutate({ id: removing.id, deed: 'remove' }, { onSuccess: () => setRemoving(undefined) })}
        />
      )}
    </Section>
  );
}

function Standing({ of: m }: { of: Mirror }) {
  return m.state === 'ready' ? <State state="succeeded" said="up to date" /> : <State state={m.state} />;
}
