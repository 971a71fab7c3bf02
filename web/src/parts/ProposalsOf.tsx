import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ProposalFilter, proposals } from '../api/queries';
import type { Proposal } from '../api/types';
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
      <Table
        label="Proposals"
        rows={items}
        id={(p) => p.id}
        columns={[
          { name: 'State', width: 130, cell: (p) => <State state={standing(p)} bare /> },
          { name: 'Proposal', cell: (p) => <ProposalLink proposal={p} /> },
          ...(filter.repository
            ? []
            : [
                {
                  name: 'Repository',
                  wide: true,
                  width: 220,
                  cell: (p: Proposal) => <RepositoryLink name={p.repository} />,
                },
              ]),
          { name: 'Branches', wide: true, cell: (p) => `${p.source} → ${p.target}` },
          { name: 'By', wide: true, width: 150, cell: (p) => p.author.name },
          { name: 'Changed', right: true, width: 130, cell: (p) => <Moment at={p.updated} /> },
        ]}
      />
      <More query={query} />
    </>
  );
}
