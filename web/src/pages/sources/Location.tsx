import { Alert, Anchor, Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { location, useRefreshLocation } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Facts, Page, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { Bring } from './Bring';
import { Problems } from './Problems';
import { stateOf } from './Sources';

const route = getRouteApi('/shell/sources/locations/$id');

/** One file that the catalog reads: how it does, and what it declares. */
export function LocationPage() {
  const { id } = route.useParams();
  const query = useQuery(location(id));
  const refresh = useRefreshLocation(id);
  if (query.isLoadingError) {
    return (
      <Page title="Location">
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const l = query.data;
  if (!l) return <PageSkeleton />;
  return (
    <Page
      title={l.path}
      query={query}
      marks={<State state={stateOf(l)} of="state" />}
      about={<span>space {l.space}</span>}
      actions={
        <>
          <CopyCommand command={`roadbed location refresh ${l.id}`} />
          {l.can.includes('refresh') && (
            <Button loading={refresh.isPending} onClick={() => refresh.mutate()}>
              Read now
            </Button>
          )}
        </>
      }
    >
      <Failure error={refresh.error} title="It was not read" />
      {l.error && (
        <Alert color="red" variant="light" role="status">
          {l.error}
        </Alert>
      )}
      <Section title="Location">
        <Facts
          items={[
            ['Repository', <RepositoryLink key="repository" name={l.repository} />],
            ['Branch', l.ref || 'the default one'],
            ['Commit', l.commit && shortCommit(l.commit)],
          ]}
        />
      </Section>
      <Bring location={l} />
      <Problems problems={l.problems} />
      {l.entities.length > 0 && (
        <Section
          flush
          title="Entities"
          actions={
            <Anchor size="sm" renderRoot={(props) => <Link to="/catalog" search={{ location: l.id }} {...props} />}>
              {l.total > l.entities.length
                ? `The first ${l.entities.length} of ${l.total.toLocaleString('en')}: all in the catalog`
                : 'In the catalog'}
            </Anchor>
          }
        >
          <Table
            label="Entities"
            rows={l.entities.map((ref) => ({ ref }))}
            id={(e) => e.ref}
            columns={[{ name: 'Entity', cell: (e) => <RefLink to={e.ref} /> }]}
          />
        </Section>
      )}
    </Page>
  );
}
