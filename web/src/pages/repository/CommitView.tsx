import { Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { commitChecks, commitDiff, commitOf, commitProposals } from '../../api/code';
import type { Repository } from '../../api/types';
import { CopyText } from '../../parts/CopyText';
import { Moment } from '../../parts/Moment';
import { Facts, Rows, Section } from '../../parts/Page';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { shortCommit } from '../../words/ref';
import { DiffView } from './DiffView';
import { NotThere } from './NotThere';
import { Go } from './place';
import classes from './repository.module.css';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** One commit: what it says and changes, what was said of it, and what brought it. */
export default function CommitView({ repo }: { repo: Repository }) {
  const { commit = '' } = route.useSearch();
  const query = useQuery(commitOf(repo, commit));
  const c = query.data;
  const diff = useQuery({ ...commitDiff(repo, c?.hash ?? ''), enabled: Boolean(c) });
  const checks = useQuery({ ...commitChecks(repo, c?.hash ?? ''), enabled: Boolean(c) });
  const proposals = useQuery({ ...commitProposals(repo, c?.hash ?? ''), enabled: Boolean(c) });
  if (query.isLoadingError) return <NotThere repo={repo} error={query.error} retry={() => query.refetch()} />;
  if (!c) return <Rows />;
  const rest = c.message.slice(c.subject.length).trim();
  const full = `${repo.namespace}/${repo.name}`;
  return (
    <Stack gap="md">
      <Section
        title={c.subject || 'A commit without a message'}
        actions={
          <Go at={repo} to={{ ref: c.hash }}>
            Files as they were
          </Go>
        }
      >
        <Stack gap="md">
          {rest && <pre className={classes.message}>{rest}</pre>}
          <Facts
            items={[
              ['Author', c.author],
              ['Written', <Moment key="w" at={c.time} />],
              ['Committed by', c.committer !== c.author && c.committer],
              [
                c.parents.length > 1 ? 'Parents' : 'Parent',
                c.parents.length > 0 && (
                  <Group gap="xs" key="p">
                    {c.parents.map((p) => (
                      <Go key={p} at={repo} to={{ tab: 'commit', commit: p }}>
                        <code>{shortCommit(p)}</code>
                      </Go>
                    ))}
                  </Group>
                ),
              ],
              [
                'Brought by',
                proposals.data && proposals.data.items.length > 0 && (
                  <Group gap="xs" key="b">
                    {proposals.data.items.map((p) => (
                      <a key={p.number} href={`/repositories/${full}/proposals/${p.number}`}>
                        #{p.number} {p.title}
                      </a>
                    ))}
                  </Group>
                ),
              ],
            ]}
          />
          <CopyText label="Commit" text={c.hash} />
          {checks.data && checks.data.items.length > 0 && (
            <Group gap="md" aria-label="Checks">
              {checks.data.items.map((k) => (
                <span key={k.name}>
                  <State state={k.state} bare /> {k.run ? <a href={`/runs/${k.run}`}>{k.name}</a> : k.name}
                </span>
              ))}
            </Group>
          )}
        </Stack>
      </Section>
      <DiffView
        query={diff}
        none={c.parents.length > 1 ? 'The merge itself changes nothing of its first parent.' : 'It changes no file.'}
      />
      <Section title="Runs" flush>
        <RunsOf
          filter={{ repository: full, commit: c.hash }}
          label={`Runs of ${shortCommit(c.hash)}`}
          none="No run is of this commit."
        />
      </Section>
    </Stack>
  );
}
