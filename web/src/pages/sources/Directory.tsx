import { Alert, Anchor, Button, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type Directory, directory, useLookAtDirectory } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Facts, Page, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';

const route = getRouteApi('/shell/sources/directories/$namespace/$name');

/** One directory of people: how it does, what it has brought, and how a provider is connected. */
export function DirectoryPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(directory(namespace, name));
  const look = useLookAtDirectory(namespace, name);
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const d = query.data;
  if (!d) return <PageSkeleton />;
  return (
    <Page
      title={d.name}
      query={query}
      marks={<State state={d.state} />}
      about={
        <>
          <span>{d.protocol === 'scim' ? 'written by SCIM' : `read from ${d.server}`}</span>
          <span>space {d.space}</span>
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed directory look ${d.namespace}/${d.name}`} />
          {d.can.includes('look') && (
            <Button loading={look.isPending} onClick={() => look.mutate()} aria-label={`Look now at ${d.name}`}>
              Look now
            </Button>
          )}
        </>
      }
    >
      <Failure error={look.error} title="It was not looked at" />
      {d.reason && (
        <Alert color="red" variant="light" role="status">
          {d.reason}
        </Alert>
      )}
      <Section title="Has brought">
        <Facts
          items={[
            ['People', String(d.people)],
            ['Groups', String(d.groups)],
            ['Made inactive', d.inactive > 0 && String(d.inactive)],
            ['Not taken', d.wrong > 0 && String(d.wrong)],
            ['Into', `namespace ${d.peopleNamespace || 'default'}, space ${d.peopleSpace}`],
            ['Looked', d.looked && <Moment key="looked" at={d.looked} />],
            ['In this state', d.since && <Moment key="since" at={d.since} />],
          ]}
        />
      </Section>
      {d.problems.length > 0 && (
        <Section title="Not taken" flush>
          <Table
            label="Not taken"
            rows={d.problems}
            id={(p) => `${p.what} ${p.message}`}
            columns={[
              { name: 'Who', cell: (p) => p.what },
              { name: 'Why', cell: (p) => p.message },
            ]}
          />
        </Section>
      )}
      {d.protocol === 'scim' && d.address && <Provider directory={d} address={d.address} />}
      <Text size="sm">
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              to="/catalog/$kind/$namespace/$name"
              params={{ kind: 'directory', namespace: d.namespace, name: d.name }}
              {...props}
            />
          )}
        >
          Its document and versions
        </Anchor>
      </Text>
    </Page>
  );
}

function Provider({ directory: d, address }: { directory: Directory; address: string }) {
  const machine = `machine:default/${d.name}`;
  return (
    <Section title="Connect a provider">
      <p style={{ marginTop: 0 }}>
        Okta calls the address <em>SCIM connector base URL</em>, Entra <em>Tenant URL</em>; both take the token of a
        machine that may do <code>directory:write</code> here and nothing else.
      </p>
      <CopyText label="Address" text={address} />
      <CopyText
        label="Token"
        text={`roadbed token create ${d.name} --for ${machine} --scope directory:write=${d.namespace}/${d.name}`}
      />
    </Section>
  );
}
