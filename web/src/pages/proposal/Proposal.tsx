import { Button, Menu, Tabs } from '@mantine/core';
import { IconChevronDown, IconExternalLink } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useProposal } from '../../api/proposing';
import { type ProposalPath, proposal, proposalCommits } from '../../api/queries';
import type { ProposalDetail } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CommitTable } from '../../parts/CommitTable';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Page } from '../../parts/Page';
import { standing } from '../../parts/ProposalsOf';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { Conversation } from './Conversation';
import { Files } from './Files';

const route = getRouteApi('/shell/repositories/$namespace/$name/proposals/$number');

export function ProposalPage() {
  const { namespace, name, number } = route.useParams();
  const { tab = 'conversation', look, since, space, file, line } = route.useSearch();
  const navigate = route.useNavigate();
  const path: ProposalPath = { namespace, name, number: Number(number) };
  const query = useQuery(proposal(path));
  if (query.isLoadingError) {
    return (
      <Page title={`${namespace}/${name}#${number}`}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const p = query.data;
  if (!p) return <PageSkeleton />;
  return (
    <Page
      title={p.title}
      query={query}
      marks={<State state={standing(p)} />}
      about={
        <>
          <span>#{p.number}</span>
          <RepositoryLink name={p.repository} />
          <span>
            <code>{p.source}</code> → <code>{p.target}</code>
          </span>
          <span>
            by {p.author.name} <Moment at={p.created} />
          </span>
          {p.state === 'open' && (
            <span>
              {p.ahead} {p.ahead === 1 ? 'commit' : 'commits'}, {p.behind} behind
              {p.stale && ' when it was looked at last'}
            </span>
          )}
          {p.mergeCommit && (
            <span>
              merged by {p.mergedBy?.name}
              {p.mergeWay === 'push' ? ', who pushed it,' : ''} as <code>{shortCommit(p.mergeCommit)}</code>
            </span>
          )}
        </>
      }
      actions={<Actions path={path} p={p} />}
    >
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: (now) => ({ ...now, tab: value ?? undefined }), replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="conversation">Conversation</Tabs.Tab>
          <Tabs.Tab value="files">Changes</Tabs.Tab>
          <Tabs.Tab value="commits">Commits</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="conversation">
          <Conversation path={path} proposal={p} />
        </Tabs.Panel>
        <Tabs.Panel value="files">
          <Files
            path={path}
            proposal={p}
            split={look === 'split'}
            wish={{ since, space: space === 'ignore' ? 'ignore' : undefined }}
            to={{ file, line }}
            look={(next) =>
              navigate({
                search: (now) => ({
                  ...now,
                  ...('split' in next ? { look: next.split ? 'split' : undefined } : {}),
                  ...('wish' in next ? { since: next.wish?.since, space: next.wish?.space } : {}),
                  ...('file' in next ? { file: next.file, line: next.line } : {}),
                }),
                replace: true,
                resetScroll: false,
              })
            }
          />
        </Tabs.Panel>
        <Tabs.Panel value="commits">
          <Commits path={path} head={p.head} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Actions({ path, p }: { path: ProposalPath; p: ProposalDetail }) {
  const act = useProposal(path);
  const navigate = useNavigate();
  const [closing, setClosing] = useState(false);
  const may = (what: string) => p.can.includes(what);
  return (
    <>
      <CopyCommand command={`roadbed proposal show '${p.full}'`} />
      {p.url && (
        <Button
          variant="default"
          component="a"
          href={p.url}
          rel="noreferrer"
          rightSection={<IconExternalLink size={15} aria-hidden />}
        >
          At the forge
        </Button>
      )}
      {act.error && !closing ? <Failure error={act.error} /> : null}
      {may('close') && (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" rightSection={<IconChevronDown size={15} aria-hidden />}>
              More
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {may('edit') && (
              <Menu.Item onClick={() => act.mutate({ do: 'edit', draft: !p.draft })}>
                {p.draft ? 'It is ready' : 'Make it a draft'}
              </Menu.Item>
            )}
            <Menu.Item color="red" onClick={() => setClosing(true)}>
              Close
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
      {may('reopen') && (
        <Button variant="default" loading={act.isPending} onClick={() => act.mutate({ do: 'reopen' })}>
          Open it again
        </Button>
      )}
      {may('revert') && (
        <Button
          variant="default"
          loading={act.isPending}
          onClick={() =>
            act.mutate(
              { do: 'revert' },
              {
                onSuccess: (made) =>
                  navigate({
                    to: '/repositories/$namespace/$name/proposals/$number',
                    params: { ...path, number: String(made.number) },
                  }),
              },
            )
          }
        >
          Revert
        </Button>
      )}
      {closing && (
        <Ask
          title={`Close ${p.title}`}
          says="It ends without being merged. Its branch stays, and it can be opened again."
          label="Close it"
          command={`roadbed proposal close '${p.full}'`}
          busy={act.isPending}
          error={act.error}
          close={() => setClosing(false)}
          act={() => act.mutate({ do: 'close' }, { onSuccess: () => setClosing(false) })}
        />
      )}
    </>
  );
}

function Commits({ path, head }: { path: ProposalPath; head: string }) {
  return <CommitTable query={useInfiniteQuery(proposalCommits(path, head))} />;
}
