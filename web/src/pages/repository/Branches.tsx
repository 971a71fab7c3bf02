import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { branchList } from '../../api/code';
import type { Branch, Repository } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Go, mayWrite } from './place';
import { Refs, useNamePart } from './Refs';
import classes from './repository.module.css';

/** Branches, how they stand to the default one, and what is proposed of them. */
export default function Branches({ repo }: { repo: Repository }) {
  const query = useInfiniteQuery(branchList(repo, useNamePart(), true));
  return (
    <Refs
      repo={repo}
      kind="branches"
      query={query}
      stays={(b) => b.name === repo.defaultBranch}
      lost="Commits that no other branch and no tag leads to can't be found any more. Open proposals of it are closed."
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
      ]}
      next={(b) => <Proposed branch={b} repo={repo} />}
    />
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

/** The proposal of a branch, or the way to one. */
function Proposed({ branch, repo }: RowProps) {
  const at = `/repositories/${repo.namespace}/${repo.name}`;
  if (branch.name === repo.defaultBranch || !mayWrite(repo)) return null;
  if (branch.proposal) {
    return (
      <Anchor component={Link} to={`${at}/proposals/${branch.proposal}`} size="sm">
        #{branch.proposal}
      </Anchor>
    );
  }
  if (branch.ahead === 0) return null;
  return (
    <Anchor component={Link} to={`${at}/propose?source=${encodeURIComponent(branch.name)}`} size="sm">
      Propose it
    </Anchor>
  );
}
