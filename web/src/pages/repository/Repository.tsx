import { Button, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { repository } from '../../api/queries';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Empty, Page, Section } from '../../parts/Page';
import { ProposalsOf } from '../../parts/ProposalsOf';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { Branches } from './Branches';
import { Commits } from './Commits';
import { Files } from './Files';
import { Troubles } from './Troubles';

const route = getRouteApi('/shell/repositories/$namespace/$name');

export function RepositoryPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'files' } = route.useSearch();
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
  return (
    <Page
      title={`${namespace}/${name}`}
      query={query}
      marks={repo.archived && <State state="archived" />}
      about={
        <>
          {repo.description && <span>{repo.description}</span>}
          <span>space {repo.space}</span>
          <span>
            {repo.defaultBranch}
            {repo.head && ` at ${shortCommit(repo.head)}`}
          </span>
          {repo.pushed && (
            <span>
              pushed <Moment at={repo.pushed} />
            </span>
          )}
        </>
      }
    >
      <Troubles namespace={namespace} name={name} />
      <Section>
        <CopyText label="Get the code" text={`git clone ${repo.cloneUrl}`} />
      </Section>
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: { tab: value ?? undefined }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="files">Files</Tabs.Tab>
          <Tabs.Tab value="commits">Commits</Tabs.Tab>
          <Tabs.Tab value="branches">Branches</Tabs.Tab>
          <Tabs.Tab value="proposals">Proposals</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="files">{repo.head ? <Files repo={repo} head={repo.head} /> : <Unborn />}</Tabs.Panel>
        <Tabs.Panel value="commits">{repo.head ? <Commits repo={repo} head={repo.head} /> : <Unborn />}</Tabs.Panel>
        <Tabs.Panel value="branches">{repo.head ? <Branches repo={repo} /> : <Unborn />}</Tabs.Panel>
        <Tabs.Panel value="proposals">
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
          </Section>
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Section flush>
            <RunsOf
              filter={{ repository: `${namespace}/${name}` }}
              label={`Runs of ${namespace}/${name}`}
              none="A push starts what triggers and pipelines say."
            />
          </Section>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Unborn() {
  return (
    <Section>
      <Empty title="Nothing was pushed yet">Clone it as said above, commit something, and push.</Empty>
    </Section>
  );
}
