import { Alert, Anchor, Button, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useDisconnect } from '../../api/actions';
import { integration as integrationQuery } from '../../api/queries';
import type { Integration } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Facts, Page, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { forgeName } from './declare';
import { left } from './Integrations';
import { SetUp } from './SetUp';
import { Traffic } from './Traffic';
import { Try } from './Try';

const route = getRouteApi('/shell/integrations/$namespace/$name');

/** One forge: how it does, what its credentials are good for, and where its webhooks go. */
export function IntegrationPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(integrationQuery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const i = query.data;
  if (!i) return <PageSkeleton />;
  return (
    <Page
      title={i.name}
      query={query}
      marks={<State state={i.state} of="state" said={i.state === 'unknown' ? 'is being tried' : undefined} />}
      about={
        <>
          <span>
            {forgeName(i.forge)}
            {i.version && ` ${i.version}`} at{' '}
            <Anchor href={i.url} size="sm" rel="noreferrer">
              {i.url}
            </Anchor>
          </span>
          <span>space {i.space}</span>
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed integration test ${i.namespace}/${i.name}`} />
          {i.can.includes('delete') && <Disconnect integration={i} />}
          <Try integration={i} />
        </>
      }
    >
      {i.reason && (
        <Alert color={i.state === 'limited' || i.state === 'lacking' ? 'yellow' : 'red'} variant="light" role="status">
          {i.reason}
        </Alert>
      )}
      <Section title="Credentials">
        <Facts
          items={[
            ['Signed in as', i.login],
            ['By', i.app ? `the app ${i.app}` : 'a token'],
            ['Scopes', i.scopes?.join(', ')],
            ['Lacks', i.missing.join(', ')],
            ['End', i.expires && <Moment key="end" at={i.expires} />],
            ['Requests left', left(i)],
            ['git may clone', i.clone ?? (i.state === 'healthy' && 'not tried: no repository is seen')],
            ['Organizations', i.owners.join(', ') || 'all that the credentials see'],
            ['Tried', i.looked && <Moment key="tried" at={i.looked} />],
            ['In this state', i.since && <Moment key="since" at={i.since} />],
          ]}
        />
      </Section>
      <Webhooks integration={i} />
      <Text size="sm">
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              to="/catalog/$kind/$namespace/$name"
              params={{ kind: 'integration', namespace: i.namespace, name: i.name }}
              {...props}
            />
          )}
        >
          Its document and versions
        </Anchor>
        {' · '}
        <Anchor size="sm" renderRoot={(props) => <Link to="/ledger" search={{ ref: i.ref }} {...props} />}>
          What the ledger tells of it
        </Anchor>
      </Text>
    </Page>
  );
}

function Webhooks({ integration: i }: { integration: Integration }) {
  const minutes = Math.round(i.poll / 60);
  return (
    <Section
      title="Webhooks"
      actions={i.hooked && i.can.includes('test') && <SetUp namespace={i.namespace} name={i.name} />}
    >
      <Stack gap="sm">
        <Text size="sm">
          {i.hooked
            ? 'The forge sends what happens to this address, signed with the secret that the document names.'
            : `No secret for webhooks is declared, so the forge is asked every ${minutes === 1 ? 'minute' : `${minutes} minutes`}. To be told at once, name one as spec.webhook.secretRef in the document.`}
        </Text>
        {i.hooked && <CopyText label="Address" text={i.hook} />}
        {i.hooked && <Traffic namespace={i.namespace} name={i.name} />}
      </Stack>
    </Section>
  );
}

function Disconnect({ integration: i }: { integration: Integration }) {
  const [asked, setAsked] = useState(false);
  const disconnect = useDisconnect(i.namespace, i.name);
  const navigate = useNavigate();
  return (
    <>
      <Button variant="default" onClick={() => setAsked(true)}>
        Disconnect
      </Button>
      {asked && (
        <Ask
          title={`Disconnect ${i.name}`}
          says="Its repositories are not worked with any more, and its webhooks are refused. At the forge nothing changes, and its secrets stay."
          label="Disconnect it"
          name={i.name}
          command={`roadbed delete integration ${i.namespace}/${i.name}`}
          busy={disconnect.isPending}
          error={disconnect.error}
          close={() => setAsked(false)}
          act={() => disconnect.mutate(undefined, { onSuccess: () => navigate({ to: '/integrations' }) })}
        />
      )}
    </>
  );
}
