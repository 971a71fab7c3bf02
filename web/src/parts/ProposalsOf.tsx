import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ProposalFilter, proposals } from '../api/queries';
import type { Proposal, ProposalLine } from '../api/types';
import { Failure } from './Failure';
import { Moment } from './Moment';
import { More } from './More';
import { Empty, Rows } from './Page';
import { RepositoryLink } from './RepositoryLink';
import { Stale } from './Stale';
import { State } from './State';
import { Table } from './Table';

/** A proposal's state in a word or two. */
export function standing(p: Pick<Proposal, 'state' | 'draft' | 'conflicts'>): string {
  if (p.state !== 'open') return p.state;
  if (p.draft) return 'draft';
  return p.conflicts?.length ? 'conflicts' : 'open';
}

export function ProposalLink({ proposal }: { proposal: Pick<Proposal, 'repository' | 'number' | 'title'> }) {
  return (
    <Anchor component={Link} to={`/repositories/${proposal.repository}/proposals/${proposal.number}`} size="sm">
      {proposal.title}
    </Anchor>
  );
}

/** What reviewers say of a proposal, in a few words. */
function reviewed(p: ProposalLine): { state: string; said: string } | undefined {
  if (p.refusals > 0) return { state: 'refused', said: 'changes asked for' };
  if (p.wanted > 0)
    return { state: p.approvals >= p.wanted ? 'approved' : 'waiting', said: `${p.approvals} of ${p.wanted}` };
  return p.approvals > 0 ? { state: 'approved', said: 'approved' } : undefined;
}

/** What its checks say. */
function checked(p: ProposalLine): { state: string; said: string } | undefined {
  const all = p.passed + p.failed + p.pending;
  if (p.failed > 0) return { state: 'failed', said: `${p.failed} of ${all} failed` };
  if (p.pending > 0) return { state: 'pending', said: `${p.passed} of ${all}` };
  return all > 0 ? { state: 'passed', said: `${all} passed` } : undefined;
}

function Said({ what }: { what?: { state: string; said: string } }) {
  return what ? <State state={what.state} said={what.said} bare /> : null;
}

export function ProposalTable({
  label,
  items,
  repository,
}: {
  label: string;
  items: ProposalLine[];
  repository?: boolean;
}) {
  return (
    <Table
      label={label}
      rows={items}
      id={(p) => p.id}
      columns={[
        { name: 'State', width: 120, cell: (p) => <State state={standing(p)} bare /> },
        { name: 'Proposal', cell: (p) => <ProposalLink proposal={p} /> },
        ...(repository
          ? [
              {
                name: 'Repository',
                wide: true,
                width: 190,
                cell: (p: ProposalLine) => <RepositoryLink name={p.repository} />,
              },
            ]
          : []),
        { name: 'Reviews', wide: true, width: 150, cell: (p) => <Said what={reviewed(p)} /> },
        { name: 'Checks', wide: true, width: 130, cell: (p) => <Said what={checked(p)} /> },
        { name: 'By', wide: true, width: 130, cell: (p) => p.author.name },
        { name: 'Changed', right: true, width: 120, cell: (p) => <Moment at={p.updated} /> },
      ]}
    />
  );
}

export function ProposalsOf({ filter, none }: { filter: ProposalFilter; none?: string }) {
  const query = useInfiniteQuery(proposals(filter));
  if (query.isPending) return <Rows />;
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const items = query.data.pages.flatMap((p) => p.items);
  if (items.length === 0) {
    return <Empty title="No proposals">{none ?? 'Push a branch, and propose to bring it into another one.'}</Empty>;
  }
  return (
    <>
      <Stale query={query} />
      <ProposalTable label="Proposals" items={items} repository={!filter.repository} />
      <More query={query} />
    </>
  );
}
