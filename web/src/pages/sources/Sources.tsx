import { Button, Checkbox, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { directories, discoveries, locations, pushedSources } from '../../api/sources';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { Page } from '../../parts/Page';
import { Look } from './Look';
import { Register } from './Register';
import { SourceList } from './SourceList';

const route = getRouteApi('/shell/sources');

/** Where the catalog comes from. */
export function Sources() {
  const { register } = route.useSearch();
  const navigate = route.useNavigate();
  const open = (on: boolean) =>
    navigate({ search: (s) => ({ ...s, register: on ? 'true' : undefined }), replace: true });
  return (
    <Page
      title="Sources"
      about="Where the catalog comes from: organizations, directories of people, files of repositories, and systems that push."
      actions={<Button onClick={() => open(true)}>Register a component</Button>}
    >
      {register && <Register close={() => open(false)} />}
      <Discoveries />
      <Directories />
      <Locations />
      <Pushed />
    </Page>
  );
}

function Discoveries() {
  return (
    <SourceList
      title="Organizations"
      command="roadbed discovery list"
      query={useInfiniteQuery(discoveries)}
      none="No organization is discovered"
      what="A document of kind Discovery brings the repositories, teams and people of an organization of a forge."
      id={(d) => d.ref}
      first={{
        name: 'Name',
        text: (d) => d.name,
        link: ({ namespace, name }, props) => (
          <Link to="/sources/discoveries/$namespace/$name" params={{ namespace, name }} {...props} />
        ),
      }}
      state={(d) => d.state}
      columns={[
        { name: 'Organization', wide: true, cell: (d) => d.organization },
        {
          name: 'Registered',
          wide: true,
          right: true,
          width: 150,
          cell: (d) => `${d.found.registered} of ${d.found.repositories}`,
        },
        { name: 'People', wide: true, width: 190, cell: (d) => `${d.found.users} users, ${d.found.groups} groups` },
        { name: 'Looked', wide: true, width: 130, cell: (d) => (d.looked ? <Moment at={d.looked} /> : 'not yet') },
        { name: 'Look', right: true, width: 120, cell: (d) => <Look discovery={d} small /> },
      ]}
    />
  );
}

function Directories() {
  return (
    <SourceList
      title="Directories"
      command="roadbed directory list"
      query={useInfiniteQuery(directories)}
      none="No directory brings people"
      what="A document of kind Directory lets an identity provider such as Okta or Entra write people and groups by SCIM, or reads them from an LDAP server."
      id={(d) => d.ref}
      first={{
        name: 'Name',
        text: (d) => d.name,
        link: ({ namespace, name }, props) => (
          <Link to="/sources/directories/$namespace/$name" params={{ namespace, name }} {...props} />
        ),
      }}
      state={(d) => d.state}
      columns={[
        { name: 'By', wide: true, width: 90, cell: (d) => d.protocol.toUpperCase() },
        { name: 'People', wide: true, width: 190, cell: (d) => `${d.people} people, ${d.groups} groups` },
        { name: 'Looked', wide: true, width: 130, cell: (d) => (d.looked ? <Moment at={d.looked} /> : 'not yet') },
      ]}
    />
  );
}

function Locations() {
  const { text, failed } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: { text?: string; failed?: string }) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const narrowed = Boolean(text || failed);
  return (
    <SourceList
      title="Locations"
      command={`roadbed location list${failed ? ' --failed' : ''}${text ? ` --text '${text.replaceAll("'", "'\\''")}'` : ''}`}
      query={useInfiniteQuery(locations({ text, failed: failed ? true : undefined }))}
      filters={
        <Group gap="md" p="sm">
          <FilterText
            aria-label="Part of a repository or path"
            placeholder="Part of a repository or path"
            maxLength={200}
            w={260}
            value={text}
            set={(next) => set({ text: next })}
          />
          <Checkbox
            label="Failed"
            checked={Boolean(failed)}
            onChange={(e) => set({ failed: e.currentTarget.checked ? 'true' : undefined })}
          />
        </Group>
      }
      none={narrowed ? 'No location is like that' : 'No location is registered'}
      what={
        narrowed
          ? 'Look with fewer words, or also at those that are well.'
          : 'A location is a file of a repository, read again at each push. Register a component by the address of its catalog-info.yaml.'
      }
      id={(l) => l.id}
      first={{
        name: 'File',
        text: (l) => `${l.repository}${l.ref ? `@${l.ref}` : ''}:${l.path}`,
        link: ({ id }, props) => <Link to="/sources/locations/$id" params={{ id }} {...props} />,
      }}
      state={stateOf}
      columns={[
        { name: 'Space', wide: true, width: 140, cell: (l) => l.space },
        { name: 'What is wrong', wide: true, cell: (l) => l.error ?? '' },
      ]}
    />
  );
}

/** How a location does, in one word. */
export function stateOf(l: { error?: string; commit?: string }): string {
  if (l.error) return 'failed';
  return l.commit ? 'healthy' : 'waiting';
}

function Pushed() {
  return (
    <SourceList
      title="Pushed"
      label="Pushed sources"
      command="roadbed source list"
      query={useInfiniteQuery(pushedSources)}
      none="No system pushes"
      what="An outside system, such as a CMDB, pushes what it knows by its own name."
      id={(s) => s.name}
      first={{
        name: 'Name',
        text: (s) => s.name,
        link: ({ name }, props) => <Link to="/sources/pushed/$name" params={{ name }} {...props} />,
      }}
      state={(s) => (s.last.wrong ? 'failed' : 'healthy')}
      columns={[
        { name: 'Space', wide: true, width: 140, cell: (s) => s.space },
        { name: 'Entities', right: true, width: 100, cell: (s) => s.entities },
        { name: 'Pushed', wide: true, width: 130, cell: (s) => <Moment at={s.pushed} /> },
      ]}
    />
  );
}
