import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { directories, discoveries, locations, pushedSources } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Look } from './Look';

/** Where the catalog comes from. */
export function Sources() {
  return (
    <Page
      title="Sources"
      about="Where the catalog comes from: organizations, directories of people, files of repositories, and systems that push."
    >
      <Discoveries />
      <Directories />
      <Locations />
      <Pushed />
    </Page>
  );
}

function Discoveries() {
  const query = useInfiniteQuery(discoveries);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section flush title="Organizations" actions={<CopyCommand command="roadbed discovery list" />}>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="No organization is discovered">
          A document of kind Discovery brings the repositories, teams and people of an organization of a forge.
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Organizations"
          rows={items}
          id={(d) => d.ref}
          columns={[
            {
              name: 'Name',
              cell: (d) => (
                <Anchor
                  size="sm"
                  renderRoot={(props) => (
                    <Link
                      to="/sources/discoveries/$namespace/$name"
                      params={{ namespace: d.namespace, name: d.name }}
                      {...props}
                    />
                  )}
                >
                  {d.name}
                </Anchor>
              ),
            },
            { name: 'State', width: 130, cell: (d) => <State state={d.state} /> },
            { name: 'Organization', wide: true, cell: (d) => d.organization },
            {
              name: 'Registered',
              wide: true,
              right: true,
              width: 150,
              cell: (d) => `${d.found.registered} of ${d.found.repositories}`,
            },
            {
              name: 'People',
              wide: true,
              width: 190,
              cell: (d) => `${d.found.users} users, ${d.found.groups} groups`,
            },
            { name: 'Looked', wide: true, width: 130, cell: (d) => (d.looked ? <Moment at={d.looked} /> : 'not yet') },
            { name: 'Look', right: true, width: 120, cell: (d) => <Look discovery={d} small /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

function Directories() {
  const query = useInfiniteQuery(directories);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section flush title="Directories" actions={<CopyCommand command="roadbed directory list" />}>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="No directory brings people">
          A document of kind Directory lets an identity provider such as Okta or Entra write people and groups by SCIM,
          or reads them from an LDAP server.
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Directories"
          rows={items}
          id={(d) => d.ref}
          columns={[
            {
              name: 'Name',
              cell: (d) => (
                <Anchor
                  size="sm"
                  renderRoot={(props) => (
                    <Link
                      to="/sources/directories/$namespace/$name"
                      params={{ namespace: d.namespace, name: d.name }}
                      {...props}
                    />
                  )}
                >
                  {d.name}
                </Anchor>
              ),
            },
            { name: 'State', width: 130, cell: (d) => <State state={d.state} /> },
            { name: 'By', wide: true, width: 90, cell: (d) => d.protocol.toUpperCase() },
            { name: 'People', wide: true, width: 190, cell: (d) => `${d.people} people, ${d.groups} groups` },
            { name: 'Looked', wide: true, width: 130, cell: (d) => (d.looked ? <Moment at={d.looked} /> : 'not yet') },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

function Locations() {
  const query = useInfiniteQuery(locations);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section flush title="Locations" actions={<CopyCommand command="roadbed location list" />}>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="No location is registered">A location is a file of a repository, read again at each push.</Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Locations"
          rows={items}
          id={(l) => l.id}
          columns={[
            {
              name: 'File',
              cell: (l) => (
                <Anchor
                  size="sm"
                  renderRoot={(props) => <Link to="/sources/locations/$id" params={{ id: l.id }} {...props} />}
                >
                  {`${l.repository}${l.ref ? `@${l.ref}` : ''}:${l.path}`}
                </Anchor>
              ),
            },
            { name: 'State', width: 130, cell: (l) => <State state={stateOf(l)} /> },
            { name: 'Space', wide: true, width: 140, cell: (l) => l.space },
            { name: 'What is wrong', wide: true, cell: (l) => l.error ?? '' },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

/** How a location does, in one word. */
export function stateOf(l: { error?: string; commit?: string }): string {
  if (l.error) return 'failed';
  return l.commit ? 'healthy' : 'waiting';
}

function Pushed() {
  const query = useInfiniteQuery(pushedSources);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section flush title="Pushed" actions={<CopyCommand command="roadbed source list" />}>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="No system pushes">An outside system, such as a CMDB, pushes what it knows by its own name.</Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Pushed sources"
          rows={items}
          id={(s) => s.name}
          columns={[
            {
              name: 'Name',
              cell: (s) => (
                <Anchor
                  size="sm"
                  renderRoot={(props) => <Link to="/sources/pushed/$name" params={{ name: s.name }} {...props} />}
                >
                  {s.name}
                </Anchor>
              ),
            },
            { name: 'State', width: 130, cell: (s) => <State state={s.last.wrong ? 'failed' : 'healthy'} /> },
            { name: 'Space', wide: true, width: 140, cell: (s) => s.space },
            { name: 'Entities', right: true, width: 100, cell: (s) => s.entities },
            { name: 'Pushed', wide: true, width: 130, cell: (s) => <Moment at={s.pushed} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
