import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { pushedSource } from '../../api/sources';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Facts, Page, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Problems } from './Problems';

const route = getRouteApi('/shell/sources/pushed/$name');

/** One system that pushes: how its last push went. */
export function PushedPage() {
  const { name } = route.useParams();
  const query = useQuery(pushedSource(name));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const s = query.data;
  if (!s) return <PageSkeleton />;
  return (
    <Page
      title={s.name}
      query={query}
      marks={<State state={s.last.wrong ? 'failed' : 'healthy'} of="state" />}
      about={<span>space {s.space}</span>}
      actions={<CopyCommand command={`roadbed source show ${s.name}`} />}
    >
      <Section title="Last push">
        <Facts
          items={[
            ['Entities', String(s.entities)],
            ['By', s.pushedBy.name],
            ['Begun', <Moment key="pushed" at={s.pushed} />],
            ['Ended', s.ended ? <Moment key="ended" at={s.ended} /> : 'not yet'],
            ['Created', String(s.last.created)],
            ['Updated', String(s.last.updated)],
            ['Unchanged', String(s.last.unchanged)],
            ['Deleted', String(s.last.deleted)],
            ['Wrong', String(s.last.wrong)],
          ]}
        />
      </Section>
      <Problems problems={s.problems} />
    </Page>
  );
}
