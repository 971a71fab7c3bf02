import { Anchor, Button, Group, Select } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { policies, policyPoints } from '../../api/policies';
import { spaces } from '../../api/queries';
import type { Policy } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { parseRef, shortRef } from '../../words/ref';
import { Decisions } from './Decisions';
import { attachedTo } from './words';

const route = getRouteApi('/shell/policies');

/** The policies that hold where one may see what they decide, and what they decided last. */
export function Policies() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(policies(filter));
  const points = useQuery(policyPoints);
  const known = useQuery(spaces);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const set = (next: Partial<typeof filter>) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const about = points.data?.items.find((p) => p.name === filter.point)?.about;
  return (
    <Page
      title="Policies"
      query={query}
      about={about ? `At ${filter.point}: ${about}` : 'What is asked before something is done, and what was said.'}
      actions={
        <>
          <CopyCommand command={`roadbed policy list${filter.point ? ` --point ${filter.point}` : ''}`} />
          <Button component={Link} to="/declare" variant="default">
            Declare one
          </Button>
        </>
      }
    >
      <Group gap="sm" align="flex-end">
        <Select
          label="Point"
          placeholder="Any"
          clearable
          data={points.data?.items.map((p) => p.name) ?? []}
          value={filter.point ?? null}
          onChange={(point) => set({ point: point ?? undefined })}
        />
        <Select
          label="Space"
          placeholder="Any"
          clearable
          searchable
          data={known.data?.items.map((s) => s.name) ?? []}
          value={filter.space ?? null}
          onChange={(space) => set({ space: space ?? undefined })}
        />
      </Group>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {!query.isLoadingError && (
        <Section title="In effect" flush>
          {query.isPending && <Rows />}
          {query.isSuccess && items.length === 0 && <None filtered={Boolean(filter.point || filter.space)} />}
          {items.length > 0 && <List items={items} />}
          <More query={query} />
        </Section>
      )}
      <Decisions filter={filter} title="Decided last" />
    </Page>
  );
}

function None({ filtered }: { filtered: boolean }) {
  if (filtered) return <Empty title="No policy there">Choose another point or space, or clear what is chosen.</Empty>;
  return (
    <Empty title="No policy is in effect that you may see">
      A document of kind Policy holds Rego for a point, such as a plan or a push. An administrator of a space applies
      it; it holds there and below.
    </Empty>
  );
}

function List({ items }: { items: Policy[] }) {
  return (
    <Table
      label="Policies"
      rows={items}
      id={(p) => p.ref}
      columns={[
        { name: 'Policy', cell: (p) => <PolicyLink to={p.ref} /> },
        { name: 'Point', width: 120, cell: (p) => p.point },
        { name: 'Space', width: 140, cell: (p) => p.space },
        { name: 'Asked about', width: 180, wide: true, cell: attachedTo },
        { name: 'About', wide: true, cell: (p) => p.description },
      ]}
    />
  );
}

function PolicyLink({ to }: { to: string }) {
  const ref = parseRef(to);
  if (!ref) return <span>{to}</span>;
  const { namespace, name } = ref;
  return (
    <Anchor
      size="sm"
      renderRoot={(props) => <Link to="/policies/$namespace/$name" params={{ namespace, name }} {...props} />}
    >
      {shortRef(to)}
    </Anchor>
  );
}
