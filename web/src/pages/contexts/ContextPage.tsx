import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { context, contextStacks } from '../../api/contexts';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { ItsDocument } from '../../parts/ItsDocument';
import { More } from '../../parts/More';
import { Empty, Facts, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Given } from './Given';
import { Labels } from './Labels';
import { whyAttached } from './order';

const route = getRouteApi('/shell/contexts/$namespace/$name');

export function ContextPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(context(namespace, name));
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="context"
        list="/contexts"
        all="All contexts"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const found = query.data;
  if (!found) return <PageSkeleton />;
  return (
    <Page
      title={found.name}
      query={query}
      marks={<Labels labels={found.labels} />}
      about={
        <>
          {found.description && <span>{found.description}</span>}
          {found.owner && (
            <span>
              owned by <RefLink to={found.owner} />
            </span>
          )}
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed context ${namespace}/${name}`} />
          <ItsDocument of={found.ref} />
        </>
      }
    >
      <Section title="Where it counts">
        <Facts
          items={[
            ['Space', `${found.space}, and those below`],
            ['Priority', `${found.priority}; of contexts that set the same, the greater number wins`],
          ]}
        />
      </Section>
      <AttachedStacks namespace={namespace} name={name} />
      <Given variables={found.variables} files={found.files} hooks={found.hooks} />
    </Page>
  );
}

function AttachedStacks({ namespace, name }: { namespace: string; name: string }) {
  const query = useInfiniteQuery(contextStacks(namespace, name));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section title="Stacks that have it" flush>
      {query.isPending && <Rows count={3} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {query.isSuccess && items.length === 0 && (
        <Empty title="No stack has it">
          Name it in a stack (spec.contexts), name the stack here (spec.attach), or give this context the label
          autoattach:LABEL and the stack the label.
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Stacks that have it"
          rows={items}
          id={(s) => s.ref}
          columns={[
            { name: 'Stack', cell: (s) => <RefLink to={s.ref} /> },
            { name: 'Why', cell: (s) => whyAttached(s.why) },
            { name: 'Space', wide: true, width: 160, cell: (s) => s.space },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
