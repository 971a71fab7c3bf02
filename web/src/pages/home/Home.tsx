import { Button, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { home, me } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RunTable } from '../../parts/RunTable';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { EntryTable } from '../ledger/EntryTable';
import classes from './Home.module.css';
import { Mine } from './Mine';

const ProposalTable = lazy(async () => ({ default: (await import('../../parts/ProposalsOf')).ProposalTable }));
const WaitingRun = lazy(() => import('./WaitingRun'));

export function Home() {
  const query = useQuery(home);
  const who = useQuery(me);
  if (query.isPending) return <PageSkeleton />;
  if (query.isLoadingError) {
    return (
      <Page title="Home">
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const { waiting, proposals, failed, recent, entries } = query.data;
  return (
    <Page
      title={who.data ? `Hello, ${who.data.name}` : 'Home'}
      query={query}
      actions={
        <Button component={Link} to="/create">
          Create
        </Button>
      }
    >
      {(waiting ?? []).length > 0 && (
        <Section title={`Waits for a review (${waiting.length})`} flush>
          <Suspense fallback={<Rows count={waiting.length} />}>
            {waiting.map((run) => (
              <WaitingRun key={run.id} run={run} />
            ))}
          </Suspense>
        </Section>
      )}
      {(proposals ?? []).length > 0 && (
        <Section
          title={`Proposals that wait for you (${proposals.length})`}
          flush
          actions={
            <Text component={Link} to="/proposals?show=waiting" size="sm" className={classes.all}>
              All of them
            </Text>
          }
        >
          <Suspense fallback={<Rows count={proposals.length} />}>
            <ProposalTable label="Proposals that wait for you" items={proposals} repository />
          </Suspense>
        </Section>
      )}
      {(failed ?? []).length > 0 && (
        <Section title="Your runs that failed lately" flush>
          <RunTable label="Your runs that failed lately" runs={failed} short />
        </Section>
      )}
      {(recent ?? []).length === 0 ? (
        <Section>
          <Empty
            title="Nothing has run yet"
            action={
              <Group>
                <Button component={Link} to="/create">
                  Start from a golden path
                </Button>
                <Button component={Link} to="/catalog" variant="default">
                  Look in the catalog
                </Button>
              </Group>
            }
          >
            A golden path makes a repository with its pipeline, infrastructure and deployment, and registers it here.
          </Empty>
        </Section>
      ) : (
        <div className={classes.columns}>
          <Section
            title="Recent runs"
            flush
            actions={
              <Text component={Link} to="/runs" size="sm" className={classes.all}>
                All runs
              </Text>
            }
          >
            <RunTable label="Recent runs" runs={recent} short />
          </Section>
          <Mine />
        </div>
      )}
      {(entries ?? []).length > 0 && (
        <Section
          title="What changed"
          flush
          actions={
            <Text component={Link} to="/ledger" size="sm" className={classes.all}>
              The whole ledger
            </Text>
          }
        >
          <EntryTable entries={entries.slice(0, 10)} />
        </Section>
      )}
    </Page>
  );
}
