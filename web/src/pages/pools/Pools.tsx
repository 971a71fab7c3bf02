import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { pools } from '../../api/pools';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { example, stateOf } from './say';

/** Where steps run that the server does not run itself. */
export function Pools() {
  const query = useInfiniteQuery(pools);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Worker pools"
      query={query}
      about="Machines of your own that run the steps of stacks. Their agents dial out, so that they need no open port."
      actions={<CopyCommand command="roadbed pool list" />}
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="No worker pool">
            The server runs all steps itself. To run those of some stacks elsewhere, such as where a private network is
            reached, apply a document like the one below; its page then says how an agent is connected.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Worker pools"
            rows={items}
            id={(p) => p.ref}
            columns={[
              {
                name: 'Name',
                cell: (p) => (
                  <Anchor
                    size="sm"
                    fw={500}
                    renderRoot={(props) => (
                      <Link to="/pools/$namespace/$name" params={{ namespace: p.namespace, name: p.name }} {...props} />
                    )}
                  >
                    {p.namespace === 'default' ? p.name : `${p.namespace}/${p.name}`}
                  </Anchor>
                ),
              },
              { name: 'State', width: 130, cell: (p) => <State {...stateOf(p)} /> },
              { name: 'Space', wide: true, cell: (p) => (p.shared ? `${p.space} and below` : p.space) },
              { name: 'For', wide: true, cell: (p) => p.description ?? '' },
              { name: 'Agents', right: true, width: 100, cell: (p) => p.connected },
              { name: 'Running', wide: true, right: true, width: 100, cell: (p) => p.running },
              { name: 'Waiting', right: true, width: 100, cell: (p) => p.waiting },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {query.isSuccess && items.length === 0 && (
        <Section title="As a document" actions={<CopyCommand command="roadbed apply -f pool.yaml" />}>
          <Block text={example} />
        </Section>
      )}
    </Page>
  );
}
