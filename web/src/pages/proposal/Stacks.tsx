import { Anchor, Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ProposalPath, proposalStacks } from '../../api/queries';
import type { ProposalStack } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { shortCommit } from '../../words/ref';
import { planned } from './planned';
import classes from './proposal.module.css';

/** What a proposal does to stacks: the run of each, and what its plan counts. Nothing while it touches none. */
export function Stacks({ path, head }: { path: ProposalPath; head: string }) {
  const query = useInfiniteQuery(proposalStacks(path));
  const all = query.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.isLoadingError) {
    return (
      <Section title="Infrastructure">
        <Failure error={query.error} retry={() => query.refetch()} />
      </Section>
    );
  }
  if (all.length === 0) return null;
  return (
    <Section title="Infrastructure">
      <ul className={classes.list} aria-label="Infrastructure">
        {all.map((s) => (
          <li key={s.stack}>
            <State state={s.run ? (s.state ?? '') : 'canceled'} said="" bare />
            <span>
              <RefLink to={s.stack} />{' '}
              <span style={{ color: 'var(--quiet)' }}>
                {planned(s)}
                {s.run && !s.applied && s.commit !== head && `, at ${shortCommit(s.commit)}`}
              </span>{' '}
              <RunLink of={s} />
            </span>
          </li>
        ))}
      </ul>
      {query.hasNextPage && (
        <Button
          size="compact-xs"
          variant="subtle"
          color="gray"
          loading={query.isFetchingNextPage}
          onClick={() => query.fetchNextPage()}
        >
          More
        </Button>
      )}
    </Section>
  );
}

function RunLink({ of }: { of: ProposalStack }) {
  if (!of.run) return null;
  return (
    <Anchor
      component={Link}
      to={`/runs/${of.run}`}
      size="sm"
      aria-label={`${of.applied ? 'Run' : 'Plan'} of ${of.stack}`}
    >
      {of.applied ? 'run' : 'plan'}
    </Anchor>
  );
}
