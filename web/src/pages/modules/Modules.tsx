import { Anchor, Button, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { modules } from '../../api/registry';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Standing } from './Standing';

/** The Terraform modules that engines install from here. */
export function Modules() {
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text.trim(), 200);
  const query = useInfiniteQuery(modules(asked));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Modules"
      query={query}
      about="Terraform modules with tested versions, which configurations install from here."
      actions={
        <>
          <CopyCommand command="roadbed module list" />
          <Button variant="default" component={Link} to="/providers">
            Providers
          </Button>
        </>
      }
    >
      <TextInput
        label="Find a module"
        placeholder="By address, title or description"
        value={text}
        maw={380}
        maxLength={200}
        onChange={(e) => setText(e.currentTarget.value)}
      />
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && asked !== '' && (
          <Empty
            title={`No module has “${asked}”`}
            action={
              <Button variant="default" onClick={() => setText('')}>
                Show all
              </Button>
            }
          />
        )}
        {query.isSuccess && items.length === 0 && asked === '' && (
          <Empty
            title="No module yet"
            action={
              <Button component={Link} to="/declare">
                Declare one
              </Button>
            }
          >
            Apply a document of the kind Module that names a repository and a folder, and push a tag such as v1.0.0:
            that makes its first version.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Modules"
            rows={items}
            id={(m) => m.ref}
            columns={[
              {
                name: 'Module',
                cell: (m) => (
                  <Anchor
                    size="sm"
                    renderRoot={(props) => (
                      <Link
                        to="/modules/$namespace/$name"
                        params={{ namespace: m.namespace, name: m.name }}
                        {...props}
                      />
                    )}
                  >
                    {m.title || m.name}
                  </Anchor>
                ),
              },
              { name: 'Address', wide: true, cell: (m) => m.address },
              { name: 'Owner', wide: true, cell: (m) => (m.owner ? <RefLink to={m.owner} /> : '') },
              { name: 'Latest', width: 120, cell: (m) => m.latest || 'none' },
              {
                name: 'Newest',
                width: 190,
                cell: (m) =>
                  m.error ? (
                    <State state="failed" said="can't be read" />
                  ) : m.newest ? (
                    <Standing state={m.state} version={m.newest} />
                  ) : (
                    'no version'
                  ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
