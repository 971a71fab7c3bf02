import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { policy, policyPoints } from '../../api/policies';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { ItsDocument } from '../../parts/ItsDocument';
import { Facts, Page, Rows, Section } from '../../parts/Page';
import { Unread } from '../../parts/Unread';
import { Decisions } from './Decisions';
import { Workbench } from './Workbench';
import { asItIs, attachedTo } from './words';

const route = getRouteApi('/shell/policies/$namespace/$name');

/** A policy: what it says, what it decided, and what a change of it would decide. */
export function PolicyPage() {
  const { namespace, name } = route.useParams();
  const { decision } = route.useSearch();
  const query = useQuery(policy(namespace, name));
  const points = useQuery(policyPoints);
  const p = query.data;
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="policy"
        list="/policies"
        all="All policies"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const known = points.data?.items.find((point) => point.name === p?.point);
  return (
    <Page
      title={name}
      query={query}
      about={p?.description || 'A policy'}
      actions={
        <>
          <CopyCommand command={`roadbed policy show ${namespace}/${name}`} />
          <ItsDocument of={`policy:${namespace}/${name}`} />
        </>
      }
    >
      {query.isPending && <Rows />}
      {p && (
        <>
          <Section title="Where it is asked">
            <Facts
              items={[
                ['Point', p.point],
                ['Asks', known?.about],
                ['Rules that are read', known?.rules.join(', ')],
                ['Space', p.point === 'login' ? p.space : `${p.space} and below`],
                ['About', attachedTo(p)],
              ]}
            />
          </Section>
          {p.mayTry ? (
            <Workbench key={asItIs(p)} policy={p} decision={decision} />
          ) : (
            <Section title="Source">
              <Block text={p.rego} />
            </Section>
          )}
          <Decisions filter={{ policy: p.ref }} title="What it decided last" />
        </>
      )}
    </Page>
  );
}
