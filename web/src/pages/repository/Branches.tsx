import { Anchor, Button, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { branchList } from '../../api/code';
import { useDeleteBranch } from '../../api/proposing';
import type { Branch, Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { NewRef } from './NewRef';
import { Go, mayWrite } from './place';
import classes from './repository.module.css';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** Branches, how they stand to the default one, and what is proposed of them. */
export default function Branches({ repo }: { repo: Repository }) {
  const { namespace, name } = repo;
  const { text } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(branchList(repo, text ?? '', true));
  const remove = useDeleteBranch(namespace, name);
  const [deleting, setDeleting] = useState<string>();
  const [making, setMaking] = useState(false);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <>
      <Section
        title="Branches"
        flush
        actions={
          <Group gap="xs">
            <FilterText
              aria-label="Name"
              placeholder="Name"
              value={text}
              set={(value) => navigate({ search: (s) => ({ ...s, text: value }), replace: true })}
            />
            <CopyCommand command={`roadbed repo branches ${namespace}/${name}`} />
            {mayWrite(repo) && (
              <Button size="compact-sm" onClick={() => setMaking(true)}>
                New branch
              </Button>
            )}
          </Group>
        }
      >
        {query.isPending && <Rows />}
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        <Stale query={query} />
        {query.isSuccess && items.length === 0 && <Empty title="No branch is called that" />}
        {items.length > 0 && (
          <Table
            label="Branches"
            rows={items}
            id={(b) => b.name}
            columns={[
              { name: 'Name', cell: (b) => <Name branch={b} repo={repo} /> },
              {
                name: 'Last commit',
                wide: true,
                width: '30%',
                cell: (b) =>
                  b.last && (
                    <Go at={repo} to={{ tab: 'commit', commit: b.commit }} title={b.last.message} c="dimmed">
                      {b.last.subject}
                    </Go>
                  ),
              },
              { name: 'Ahead, behind', wide: true, width: 120, cell: (b) => <Standing branch={b} repo={repo} /> },
              {
                name: 'Moved',
                wide: true,
                width: 190,
                cell: (b) => (
                  <>
                    {b.by.name}, <Moment at={b.updated} />
                  </>
                ),
              },
              {
                name: 'Next',
                right: true,
                width: 190,
                cell: (b) => <Next branch={b} repo={repo} remove={() => setDeleting(b.name)} />,
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {making && <NewRef repo={repo} kind="branches" close={() => setMaking(false)} />}
      {deleting && (
        <Ask
          title={`Delete ${deleting}`}
          says="Commits that no other branch and no tag leads to can't be found any more. Open proposals of it are closed."
          label="Delete it"
          command={`roadbed repo branch ${namespace}/${name} ${deleting} --delete`}
          busy={remove.isPending}
          error={remove.error}
          close={() => {
            remove.reset();
            setDeleting(undefined);
          }}
          act={() => remove.mutate(deleting, { onSuccess: () => setDeleting(undefined) })}
        />
      )}
    </>
  );
}

interface RowProps {
  branch: Branch;
  repo: Repository;
}

function Name({ branch, repo }: RowProps) {
  const isDefault = branch.name === repo.defaultBranch;
  const facts = [isDefault && 'default', branch.protected && 'protected', branch.byProposals && 'by proposals only'];
  return (
    <div className={classes.commitWords}>
      <Go at={repo} to={{ ref: isDefault ? undefined : branch.name }} fw={550}>
        {branch.name}
      </Go>
      <span className={classes.quiet}>{facts.filter(Boolean).join(', ')}</span>
    </div>
  );
}

function Standing({ branch, repo }: RowProps) {
  if (branch.name === repo.defaultBranch) return null;
  if (branch.ahead === undefined) return <span className={classes.quiet}>not counted</span>;
  return (
    <Go
      at={repo}
      to={{ tab: 'compare', base: repo.defaultBranch, head: branch.name }}
      title={`Compare with ${repo.defaultBranch}`}
    >
      +{branch.ahead} −{branch.behind}
    </Go>
  );
}

function Next({ branch, repo, remove }: RowProps & { remove: () => void }) {
  const at = `/repositories/${repo.namespace}/${repo.name}`;
  if (branch.name === repo.defaultBranch || !mayWrite(repo)) return null;
  return (
    <Group gap="xs" justify="flex-end" wrap="nowrap">
      {branch.proposal ? (
        <Anchor component={Link} to={`${at}/proposals/${branch.proposal}`} size="sm">
          #{branch.proposal}
        </Anchor>
      ) : (
        branch.ahead !== 0 && (
          <Anchor component={Link} to={`${at}/propose?source=${encodeURIComponent(branch.name)}`} size="sm">
            Propose it
          </Anchor>
        )
      )}
      <Button size="compact-sm" variant="default" aria-label={`Delete ${branch.name}`} onClick={remove}>
        Delete
      </Button>
    </Group>
  );
}
