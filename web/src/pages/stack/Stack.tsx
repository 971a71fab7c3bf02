import { Alert, Stack as Column, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { stack as stackQuery } from '../../api/queries';
import { ItsDocument } from '../../parts/ItsDocument';
import { Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { vendorName } from '../../words/vendor';
import { EnvironmentTab } from './EnvironmentTab';
import { Lock } from './Lock';
import { Overview } from './Overview';
import { StackActions } from './StackActions';
import { StateTab } from './StateTab';

const Changes = lazy(() => import('../ledger/Changes'));
const route = getRouteApi('/shell/infrastructure/$namespace/$name');

export function StackPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'overview' } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(stackQuery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="stack"
        list="/infrastructure"
        all="All stacks"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const stack = query.data;
  if (!stack) return <PageSkeleton />;
  return (
    <Page
      title={stack.name}
      query={query}
      marks={stack.lastRun && <State state={stack.lastRun.state} of="last run" />}
      about={
        <>
          <span>{vendorName(stack.vendor)}</span>
          {stack.component && <RefLink to={stack.component} kind />}
          {stack.owner && (
            <span>
              owned by <RefLink to={stack.owner} />
            </span>
          )}
          {stack.set && (
            <span>
              of the set <RefLink to={stack.set.set} />
            </span>
          )}
          {stack.repository ? (
            <span>
              <RepositoryLink name={stack.repository} />, {stack.path} on {stack.branch}
            </span>
          ) : (
            <span>what is uploaded{stack.path && `, ${stack.path}`}</span>
          )}
        </>
      }
      actions={<StackActions stack={stack} />}
    >
      {stack.message && (
        <Alert color="yellow" variant="light">
          {stack.message}
        </Alert>
      )}
      {stack.set?.why && (
        <Alert color="yellow" variant="light">
          The set <RefLink to={stack.set.set} /> says: {stack.set.why}.
        </Alert>
      )}
      {stack.lock && <Lock stack={stack} lock={stack.lock} />}
      <Tabs
        value={tab}
        onChange={(value) =>
          navigate({ search: { tab: value === 'overview' ? undefined : (value ?? undefined) }, replace: true })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="state">State</Tabs.Tab>
          <Tabs.Tab value="environment">Environment</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Column gap="lg">
            <Overview stack={stack} />
          </Column>
        </Tabs.Panel>
        <Tabs.Panel value="state">
          <Column gap="lg">
            <StateTab stack={stack} />
          </Column>
        </Tabs.Panel>
        <Tabs.Panel value="environment">
          <Column gap="lg">
            <EnvironmentTab namespace={namespace} name={name} />
          </Column>
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <Section title="History" flush actions={<ItsDocument of={stack.ref} small />}>
            <Suspense fallback={<Rows />}>
              <Changes filter={{ ref: stack.ref }} />
            </Suspense>
          </Section>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
