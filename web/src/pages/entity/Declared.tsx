import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { repository as repositoryQuery } from '../../api/queries';
import type { Entity } from '../../api/types';
import { Facts, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { parseRef, shortCommit } from '../../words/ref';
import { Go } from '../repository/place';
import { Outward } from './Outward';
import { type Whence, whence } from './whence';
import { pairsOf, target, titleOf } from './written';

/** Where what is shown was written, and what brought it. */
export function Declared({ entity }: { entity: Entity }) {
  const from = whence(entity);
  const written = new Map(pairsOf(entity, 'annotations'));
  const at = (name: string) => {
    const url = written.get(`backstage.io/${name}`) ?? '';
    return target(url) && <Outward to={url}>{titleOf({ url })}</Outward>;
  };
  const [view, edit] = [at('view-url'), at('edit-url')];
  return (
    <Section title="Where it is declared">
      {from.by === 'file' ? (
        <InFile from={from} view={view} edit={edit} />
      ) : (
        <Facts
          items={[
            ['Source', <Brought key="source" from={from} />],
            ['Seen at', view],
            ['Edited at', edit],
          ]}
        />
      )}
    </Section>
  );
}

function InFile({ from, view, edit }: { from: Whence & { by: 'file' }; view: ReactNode; edit: ReactNode }) {
  const { repository, path, commit, location } = from;
  const [namespace = '', name = ''] = repository.split('/');
  const at = { namespace, name };
  const readable = !useQuery({ ...repositoryQuery(namespace, name), refetchInterval: false }).isLoadingError;
  return (
    <Facts
      items={[
        [
          'File',
          path &&
            (readable ? (
              <Go at={at} to={{ ref: commit, path }}>
                {path}
              </Go>
            ) : (
              path
            )),
        ],
        ['Repository', readable ? <RepositoryLink key="repository" name={repository} /> : repository],
        [
          'Commit',
          commit &&
            (readable ? (
              <Go at={at} to={{ commit }} title={commit}>
                {shortCommit(commit)}
              </Go>
            ) : (
              shortCommit(commit)
            )),
        ],
        ['Seen at', view],
        ['Edited at', edit],
        ['Read by', location && <LocationLink key="location" id={location} />],
      ]}
    />
  );
}

function LocationLink({ id }: { id: string }) {
  return (
    <Anchor size="sm" renderRoot={(props) => <Link to="/sources/locations/$id" params={{ id }} {...props} />}>
      its location
    </Anchor>
  );
}

/** What brought it, in words. */
function Brought({ from }: { from: Exclude<Whence, { by: 'file' }> }) {
  switch (from.by) {
    case 'location':
      return (
        <>
          A file once declared it, which <LocationLink id={from.location} /> read.
        </>
      );
    case 'push':
      return (
        <>
          Pushed by{' '}
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/sources/pushed/$name" params={{ name: from.name }} {...props} />}
          >
            {from.name}
          </Anchor>
          , a system outside.
        </>
      );
    case 'finder':
      return (
        <>
          Brought by the {parseRef(from.ref)?.kind} <RefLink to={from.ref} />.
        </>
      );
    case 'platform':
      return <>Brought by the platform itself.</>;
    case 'apply':
      return <>Applied{from.name && <> as “{from.name}”</>}, by “roadbed apply” or the API. No file is read for it.</>;
  }
}
