import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { applications } from '../../api/queries';
import { Empty, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

/** What runs, with its health. */
export function Mine() {
  const query = useInfiniteQuery(applications);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section title="Applications" flush>
      {query.isPending && <Rows count={3} />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="Nothing is deployed yet">
          An Application says what is to run and where; <Link to="/create">golden paths</Link> bring one.
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Applications with their health"
          rows={items}
          id={(a) => a.ref}
          columns={[
            { name: 'Application', cell: (a) => <RefLink to={a.ref} /> },
            { name: 'Health', cell: (a) => <State state={a.health} bare /> },
          ]}
        />
      )}
    </Section>
  );
}
