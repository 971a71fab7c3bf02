import { Alert, Button, Tabs } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useSync } from '../../api/actions';
import { useFollowed } from '../../api/live';
import { application } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Facts, Page, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { Differences } from './Differences';
import { History } from './History';
import { PodLog } from './PodLog';
import { Tree } from './Tree';

const route = getRouteApi('/shell/applications/$namespace/$name');

export function ApplicationPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'tree' } = route.useSearch();
  const navigate = route.useNavigate();
  const go = useNavigate();
  const client = useQueryClient();
  const query = useQuery(application(namespace, name));
  const sync = useSync(namespace, name);
  useFollowed('application', query.data ? { application: `${namespace}/${name}` } : null, {
    application: (app) => client.setQueryData(['application', namespace, name], app),
  });
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const app = query.data;
  if (!app) return <PageSkeleton />;
  return (
    <Page
      title={app.name}
      query={query}
      marks={
        <>
          <State state={app.health} of="health" />
          <State state={app.sync} of="sync" />
        </>
      }
      about={
        <>
          {app.component && <RefLink to={app.component} kind />}
          <span>{app.destination}</span>
          {app.urls.map((url) => (
            <a key={url} href={url}>
              {url} <IconExternalLink size={13} aria-hidden />
            </a>
          ))}
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed app sync ${namespace}/${name}`} />
          {app.can.includes('sync') && (
            <Button
              loading={sync.isPending}
              onClick={() =>
                sync.mutate(undefined, { onSuccess: (run) => void go({ to: '/runs/$id', params: { id: run.id } }) })
              }
            >
              Sync
            </Button>
          )}
        </>
      }
    >
      <Failure error={sync.error} title="It can't be synced now" />
      {(app.message || app.why) && (
        <Alert color={app.health === 'Degraded' ? 'red' : 'gray'} variant="light" p="sm" role="status">
          {[app.message, app.why].filter(Boolean).join(' · ')}
        </Alert>
      )}
      {app.left && (
        <Alert color="gray" variant="light" p="sm" role="status">
          It still has objects in {app.left.join(', ')}, where it no longer goes. A sync with prune takes them away.
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: { tab: value ?? undefined }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="tree">Resources</Tabs.Tab>
          <Tabs.Tab value="diff">Diff</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="about">Source</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="tree">
          <Tree app={app} />
        </Tabs.Panel>
        <Tabs.Panel value="diff">
          <Differences namespace={namespace} name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <History app={app} />
        </Tabs.Panel>
        <Tabs.Panel value="logs">
          <PodLog app={app} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Section flush>
            <RunsOf filter={{ subject: app.ref }} label={`Runs of ${app.name}`} />
          </Section>
        </Tabs.Panel>
        <Tabs.Panel value="about">
          <Section>
            <Facts
              items={[
                ['Repository', <RepositoryLink key="repository" name={app.repository} />],
                ['Branch', app.branch],
                ['Folder', app.path],
                ['Deployed commit', shortCommit(app.revision ?? '')],
                ['Deploys by itself', app.automated ? 'yes' : 'no'],
                ['Stack', app.stack && <RefLink to={app.stack} />],
                ['Space', app.space],
              ]}
            />
          </Section>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
