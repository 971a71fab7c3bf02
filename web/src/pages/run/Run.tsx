import { Alert, Anchor, Tabs } from '@mantine/core';
import { IconAlertTriangle, IconGitCommit } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useFollowed } from '../../api/live';
import { run as runQuery } from '../../api/queries';
import type { RunDetail } from '../../api/types';
import { Moment, Took } from '../../parts/Moment';
import { Page } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { proposalOf } from '../proposal/planned';
import { Actions } from './Actions';
import { Details } from './Details';
import { External } from './External';
import { PlanView } from './PlanView';
import { Review } from './Review';
import { RunOutcome } from './RunOutcome';
import { mayChange } from './steps';
import { Timeline } from './Timeline';
import { Waits } from './Waits';
import { Work } from './Work';

const route = getRouteApi('/shell/runs/$id');

export function RunPage() {
  const { id } = route.useParams();
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const query = useQuery(runQuery(id));
  useFollowed('run', query.data && mayChange(query.data) ? { run: id } : null, {
    run: (run) => client.setQueryData(['run', id], run),
  });

  if (query.isLoadingError) {
    return (
      <Unread name="Run" what="run" list="/runs" all="All runs" error={query.error} retry={() => query.refetch()} />
    );
  }
  const run = query.data;
  if (!run) return <PageSkeleton />;
  const hasPlan = run.kind === 'stack';
  const planned = run.state === 'finished' || (run.waiting && run.state !== 'queued');
  const first = hasPlan && planned ? 'plan' : 'work';

  return (
    <Page
      title={run.title}
      query={query}
      marks={<State state={run.state} />}
      about={<About run={run} />}
      actions={<Actions run={run} />}
    >
      <Timeline run={run} />
      {run.reason && (
        <Alert color={run.state === 'failed' ? 'red' : 'gray'} variant="light" p="sm" role="status">
          {run.reason}
        </Alert>
      )}
      {(run.warnings ?? []).map((warning) => (
        <Alert key={warning} color="yellow" variant="light" p="sm" icon={<IconAlertTriangle aria-hidden />}>
          {warning}
        </Alert>
      ))}
      <Waits wait={run.wait} />
      <External run={run} />
      <RunOutcome run={run} />
      <Review run={run} />
      <Tabs
        value={tab ?? first}
        onChange={(value) => navigate({ search: (s) => ({ ...s, tab: value ?? undefined }), replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {hasPlan && <Tabs.Tab value="plan">Plan</Tabs.Tab>}
          <Tabs.Tab value="work">Steps and logs</Tabs.Tab>
          <Tabs.Tab value="details">Details</Tabs.Tab>
        </Tabs.List>
        {hasPlan && (
          <Tabs.Panel value="plan">
            <PlanView run={run} />
          </Tabs.Panel>
        )}
        <Tabs.Panel value="work">
          <Work run={run} />
        </Tabs.Panel>
        <Tabs.Panel value="details">
          <Details run={run} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function isUploaded(run: RunDetail) {
  return run.kind === 'stack' && (run.input as { upload?: unknown } | undefined)?.upload !== undefined;
}

function About({ run }: { run: RunDetail }) {
  const of = run.kind === 'stack' ? proposalOf(run.input) : undefined;
  return (
    <>
      <span>{run.kind}</span>
      {run.subject && <RefLink to={run.subject} kind />}
      <span>
        by {run.actor.name} <Moment at={run.created} />
      </span>
      {run.source?.commit && (
        <span title={run.source.commit}>
          <IconGitCommit size={14} aria-hidden style={{ verticalAlign: -2 }} />{' '}
          <RepositoryLink name={run.source.repository} /> at {shortCommit(run.source.commit)}
        </span>
      )}
      {of && (
        <span>
          for proposal{' '}
          <Anchor component={Link} to={of.path} size="sm">
            {of.full}
          </Anchor>
        </span>
      )}
      {isUploaded(run) && <span>of an uploaded folder</span>}
      {run.started && (
        <span>
          took <Took started={run.started} ended={run.ended} />
        </span>
      )}
    </>
  );
}
