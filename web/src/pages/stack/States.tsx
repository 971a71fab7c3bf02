import { useInfiniteQuery } from '@tanstack/react-query';
import { stackStates } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { bytes } from '../../words/time';

export function States({ namespace, name }: { namespace: string; name: string }) {
  const query = useInfiniteQuery(stackStates(namespace, name));
  return (
    <Section title="Versions of the state" flush>
      {query.isPending && <Rows count={3} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {query.data && (
        <Table
          label="Versions of the state"
          rows={query.data.pages.flatMap((p) => p.items)}
          id={(s) => s.id}
          columns={[
            { name: 'Serial', width: 90, cell: (s) => s.serial },
            { name: 'Resources', right: true, width: 110, cell: (s) => s.resources },
            { name: 'Size', wide: true, right: true, width: 110, cell: (s) => bytes(s.size) },
            { name: 'By', wide: true, cell: (s) => s.actor.name },
            { name: 'Run', cell: (s) => (s.run ? <RefLink to={s.run} /> : '') },
            { name: 'When', right: true, width: 130, cell: (s) => <Moment at={s.created} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
