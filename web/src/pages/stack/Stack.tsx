import { Alert, Stack as Column, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { stack as stackQuery } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { Empty, Facts, Page, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { EnvironmentTab } from './EnvironmentTab';
import { Lock } from './Lock';
import { Outputs } from './Outputs';
import { StackActions } from './StackActions';
import { States } from './States';

const route = getRouteApi('/shell/infrastructure/$namespace/$name');

export function StackPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'overview' } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(stackQuery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
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
          {stack.component && <RefLink to={stack.component} kind />}
          {stack.owner && (
            <span>
              owned by <RefLink to={stack.owner} />
            </span>
          )}
          <span>
            <RepositoryLink name={stack.repository} />, {stack.path} on {stack.branch}
          </span>
        </>
      }
      actions={<StackActions stack={stack} />}
    >
      {stack.message && (
        <Alert color="yellow" variant="light">
          {stack.message}
        </Alert>
      )}
      {stack.lock && <Lock stack={stack} lock={stack.lock} />}
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: { tab: value ?? undefined }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="environment">Environment</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Column gap="lg">
            <Section title="State">
              {stack.state ? (
                <Facts
                  items={[
                    ['Serial', stack.state.serial],
                    ['Resources', stack.state.resources],
                    [
                      'Written by',
                      stack.state.run ? <RefLink key="run" to={stack.state.run} /> : stack.state.actor.name,
                    ],
                    ['Applies by itself', stack.autodeploy ? 'yes' : 'no, it waits for a review'],
                    ['Space', stack.space],
                  ]}
                />
              ) : (
                <Empty title="No state yet">The first run that is applied writes it.</Empty>
              )}
            </Section>
            {stack.state && <Outputs outputs={stack.state.outputs} />}
            <Section title="Runs" flush>
              <RunsOf
                filter={{ subject: stack.ref }}
                label={`Runs of ${stack.name}`}
                none="Plan it to see what it would make."
              />
            </Section>
            {stack.state && <States namespace={namespace} name={name} />}
          </Column>
        </Tabs.Panel>
        <Tabs.Panel value="environment">
          <Column gap="lg">
            <EnvironmentTab namespace={namespace} name={name} />
          </Column>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
