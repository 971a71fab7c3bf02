import { Alert, Button, Stack as Column, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { stackSet, useLookAtSet } from '../../api/stacksets';
import type { StackSet } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { ItsDocument } from '../../parts/ItsDocument';
import { Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Folders } from './Folders';
import { Rules } from './Rules';
import { Shares } from './Shares';
import { shares, standingOf } from './standing';
import { Try } from './Try';

const Changes = lazy(() => import('../ledger/Changes'));
const route = getRouteApi('/shell/infrastructure/sets/$namespace/$name');

/** One stack set: the folders that it looks for, and what has become of each. */
export function StackSetPage() {
  const { namespace, name } = route.useParams();
  const { tab = 'folders', standing } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(stackSet(namespace, name));
  const look = useLookAtSet(namespace, name);
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="stack set"
        list="/infrastructure/sets"
        all="All stack sets"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const set = query.data;
  if (!set) return <PageSkeleton />;
  return (
    <Page
      title={set.name}
      query={query}
      marks={<State {...standingOf(set)} of="set" />}
      about={
        <>
          <span>a stack for each folder</span>
          {set.owner && (
            <span>
              owned by <RefLink to={set.owner} />
            </span>
          )}
          <span>
            <RepositoryLink name={set.repository} />, branch {set.branch}
          </span>
          <span>space {set.space}</span>
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed stack set look ${namespace}/${name}`} />
          <ItsDocument of={set.ref} />
          {set.can.includes('look') && (
            <Button loading={look.isPending} onClick={() => look.mutate()}>
              Look now
            </Button>
          )}
        </>
      }
    >
      <Failure error={look.error} title="It was not looked at" />
      {set.message && (
        <Alert color={set.held > 0 ? 'yellow' : 'red'} variant="light" role="status">
          {set.message}
        </Alert>
      )}
      <Section>
        <Column gap="lg">
          <Shares
            set={set}
            chosen={standing}
            choose={(next) =>
              navigate({ search: (s) => ({ ...s, tab: undefined, standing: next }), replace: true, resetScroll: false })
            }
          />
          <Next set={set} />
          <Rules set={set} />
        </Column>
      </Section>
      <Tabs
        value={tab}
        onChange={(value) =>
          navigate({ search: { tab: value === 'folders' ? undefined : (value ?? undefined) }, replace: true })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="folders">Folders</Tabs.Tab>
          {set.can.includes('look') && <Tabs.Tab value="try">Try a change</Tabs.Tab>}
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="folders">
          <Column gap="lg">
            <Folders set={set} />
          </Column>
        </Tabs.Panel>
        {set.can.includes('look') && (
          <Tabs.Panel value="try">
            <Column gap="lg">
              <Try set={set} />
            </Column>
          </Tabs.Panel>
        )}
        <Tabs.Panel value="history">
          <Section title="History" flush>
            <Suspense fallback={<Rows />}>
              <Changes filter={{ ref: set.ref }} />
            </Suspense>
          </Section>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

/** What would be made or removed, and what it waits for. */
function Next({ set }: { set: StackSet }) {
  const some = shares(set).filter((s) => s.next);
  if (some.length === 0) return null;
  return (
    <Column gap={4}>
      {some.map((s) => (
        <Text key={s.standing} size="sm">
          <strong>
            {s.count} {s.name}.
          </strong>{' '}
          {s.next}
        </Text>
      ))}
    </Column>
  );
}
