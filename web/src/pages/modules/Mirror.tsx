import { Button, Code, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { me } from '../../api/queries';
import { mirrored, useRemoveMirrored } from '../../api/registry';
import type { MirroredProvider } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { type Column, Table } from '../../parts/Table';
import { bytes } from '../../words/time';

const howToAdd = `tofu providers mirror -platform=linux_amd64 mirrored   # where there is a network, beside the configuration
roadbed mirror add mirrored`;

/** Packages of providers that the server keeps, so that engines need no other registry. */
export function Mirror() {
  const query = useInfiniteQuery(mirrored);
  const admin = useQuery(me).data?.admin ?? false;
  const [going, setGoing] = useState<MirroredProvider>();
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Provider mirror"
      query={query}
      about="Packages of public providers that this server keeps, so that steps without a network can have them."
      actions={
        <>
          <CopyCommand command="roadbed mirror list" />
          <Button variant="default" component={Link} to="/providers">
            Providers of our own
          </Button>
        </>
      }
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="The mirror is empty">
            It fetches what engines ask it for, where the server runs with --provider-mirror on; and it has what
            somebody adds, as below.
          </Empty>
        )}
        {items.length > 0 && (
          <Table label="Packages of providers" rows={items} id={idOf} columns={columns(admin ? setGoing : undefined)} />
        )}
        <More query={query} />
      </Section>
      {query.isSuccess && (
        <Section title="Add packages">
          <Block text={howToAdd} />
          <Text size="sm" c="dimmed" mt="xs">
            It takes the right mirror:write in the space default. What was added stays until it is removed.
          </Text>
        </Section>
      )}
      {going && <Removal of={going} close={() => setGoing(undefined)} />}
    </Page>
  );
}

const idOf = (p: MirroredProvider) => `${p.provider} ${p.version} ${p.platform}`;

function columns(remove?: (p: MirroredProvider) => void): Column<MirroredProvider>[] {
  return [
    {
      name: 'Provider',
      cell: (p) => (
        <span title={p.hashes.join('\n')}>
          {p.provider} <Code>{p.version}</Code>
        </span>
      ),
    },
    {
      name: 'Platform',
      width: 140,
      cell: (p) => <span style={{ whiteSpace: 'nowrap' }}>{p.platform.replace('_', '/')}</span>,
    },
    { name: 'Size', wide: true, right: true, width: 110, cell: (p) => bytes(p.size) },
    {
      name: 'Whence',
      wide: true,
      cell: (p) => (p.from ? `fetched from ${p.from}${p.signed ? ', signed' : ''}` : 'somebody added it'),
    },
    { name: 'Kept', wide: true, right: true, width: 130, cell: (p) => <Moment at={p.kept} /> },
    ...(remove
      ? [
          {
            name: 'Remove',
            right: true,
            width: 110,
            cell: (p: MirroredProvider) => (
              <Button size="compact-sm" variant="default" aria-label={`Remove ${idOf(p)}`} onClick={() => remove(p)}>
                Remove
              </Button>
            ),
          },
        ]
      : []),
  ];
}

function Removal({ of: p, close }: { of: MirroredProvider; close: () => void }) {
  const remove = useRemoveMirrored();
  return (
    <Ask
      title={`Remove ${p.provider} ${p.version}`}
      says={
        p.from
          ? 'Engines that ask for it again have it fetched again, where the server fetches.'
          : 'Engines that ask for it are refused it, until somebody adds it again.'
      }
      label="Remove it"
      command={`roadbed mirror remove ${p.provider} ${p.version}`}
      busy={remove.isPending}
      error={remove.error}
      close={close}
      act={() => remove.mutate(p, { onSuccess: close })}
    />
  );
}
