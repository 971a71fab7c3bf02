import { Button, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense } from 'react';
import { repository } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Page, Rows, Section } from '../../parts/Page';
import { ProposalsOf } from '../../parts/ProposalsOf';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Files } from './Files';
import { GetCode, Unborn } from './GetCode';
import { Importing } from './Importing';
import { Outside } from './Outside';
import { Troubles } from './Troubles';

const Branches = lazy(() => import('./Branches'));
const Tags = lazy(() => import('./Tags'));
const Commits = lazy(() => import('./Commits'));
const CommitView = lazy(() => import('./CommitView'));
const Compare = lazy(() => import('./Compare'));
const Search = lazy(() => import('./Search'));
const Settings = lazy(() => import('./Settings'));

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** What of a repository's page needs that something was pushed. */
const ofCode = ['files', 'search', 'commits', 'commit', 'branches', 'tags', 'compare'];

export function RepositoryPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'files', ref, look } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(repository(namespace, name));
  if (query.isLoadingError) {
    return (
      <Page title={`${namespace}/${name}`}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const repo = query.data;
  if (!repo) return <PageSkeleton />;
  const born = Boolean(repo.head) || look === 'new' || look === 'upload';
  const panel = (value: string, content: ReactNode) => (
    <Tabs.Panel value={value}>
      <Suspense fallback={<Rows />}>{born || !ofCode.includes(value) ? content : <Unborn repo={repo} />}</Suspense>
    </Tabs.Panel>
  );
  return (
    <Page
      title={`${namespace}/${name}`}
      query={query}
      marks={repo.archived && <State state="archived" />}
      about={
        <>
          {repo.description && <span>{repo.description}</span>}
          <span>space {repo.space}</span>
          {repo.pushed && (
            <span>
              pushed <Moment at={repo.pushed} />
            </span>
          )}
        </>
      }
      actions={<GetCode repo={repo} />}
    >
      <Importing repo={repo} />
      <Outside repo={repo} />
      <Troubles namespace={namespace} name={name} />
      <Tabs
        value={tab === 'commit' ? 'commits' : tab}
        onChange={(value) =>
          navigate({ search: { tab: value === 'files' ? undefined : (value ?? undefined), ref }, replace: true })
        }
        keepMounted={false}
        activateTabWithKeyboard={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="files">Files</Tabs.Tab>
          <Tabs.Tab value="search">Search</Tabs.Tab>
          <Tabs.Tab value="commits">Commits</Tabs.Tab>
          <Tabs.Tab value="branches">Branches</Tabs.Tab>
          <Tabs.Tab value="tags">Tags</Tabs.Tab>
          <Tabs.Tab value="compare">Compare</Tabs.Tab>
          <Tabs.Tab value="proposals">Proposals</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          {repo.can?.includes('admin') && <Tabs.Tab value="settings">Settings</Tabs.Tab>}
        </Tabs.List>
        {panel('files', <Files repo={repo} />)}
        {panel('search', <Search repo={repo} />)}
        {panel('commits', tab === 'commit' ? <CommitView repo={repo} /> : <Commits repo={repo} />)}
        {panel('branches', <Branches repo={repo} />)}
        {panel('tags', <Tags repo={repo} />)}
        {panel('compare', <Compare repo={repo} />)}
        {panel('settings', <Settings key={repo.id} repo={repo} />)}
        {panel(
          'proposals',
          <Section
            title="Proposals"
            flush
            actions={
              <Button component={Link} to={`/repositories/${namespace}/${name}/propose`} size="compact-sm">
                Open one
              </Button>
            }
          >
            <ProposalsOf filter={{ repository: `${namespace}/${name}` }} />
          </Section>,
        )}
        {panel(
          'runs',
          <Section flush>
            <RunsOf
              filter={{ repository: `${namespace}/${name}` }}
              label={`Runs of ${namespace}/${name}`}
              none="A push starts what triggers and pipelines say."
            />
          </Section>,
        )}
      </Tabs>
    </Page>
  );
}
