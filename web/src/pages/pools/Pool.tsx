import { Anchor, Button, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Agent, agents as agentsQuery, type Pool, pool as poolQuery, useCycle, useDrain } from '../../api/pools';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { Failure } from '../../parts/Failure';
import { ItsDocument } from '../../parts/ItsDocument';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { PoolTokens } from './PoolTokens';
import { agentState, command, stateOf } from './say';

const route = getRouteApi('/shell/pools/$namespace/$name');

/** One pool: its agents, what they run, and how another is connected. */
export function PoolPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(poolQuery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="worker pool"
        list="/pools"
        all="All pools"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const p = query.data;
  if (!p) return <PageSkeleton />;
  const admin = p.can.includes('admin');
  return (
    <Page
      title={p.name}
      query={query}
      marks={<State of="state" {...stateOf(p)} />}
      about={
        <>
          <span>worker pool of the space {p.shared ? `${p.space}, and of those below` : p.space}</span>
          {p.description && <span>{p.description}</span>}
          {p.image && <span>steps that name no image run in {p.image}</span>}
          <span>
            {p.running} running, {p.waiting} waiting
          </span>
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed pool show ${p.namespace}/${p.name}`} />
          <ItsDocument of={p.ref} />
          {admin && p.connected > 0 && <Cycle pool={p} />}
          {admin && <Drain pool={p} />}
        </>
      }
    >
      <Agents pool={p} admin={admin} />
      <Section title="Connect an agent">
        <Text size="sm" mb="sm">
          {admin
            ? 'On a Linux machine with the program roadbed, put a token of this pool into a file, and start:'
            : 'Whoever may pool:admin here makes a token of this pool. On a Linux machine with the program roadbed and that token in a file, start:'}
        </Text>
        <CopyText label="The command" text={command(window.location.origin)} />
      </Section>
      {admin && <PoolTokens pool={p} />}
    </Page>
  );
}

/** Drains a pool after asking, or has it take steps again. */
function Drain({ pool, agent }: { pool: Pool; agent?: Agent }) {
  const [asking, setAsking] = useState(false);
  const drain = useDrain(pool);
  const drained = agent ? agent.drained : pool.drained;
  const full = `${pool.namespace}/${pool.name}${agent ? ` ${agent.name}` : ''}`;
  const size = agent ? 'compact-sm' : 'sm';
  const of = agent ? ` ${agent.name}` : '';
  if (drained) {
    return (
      <Button
        size={size}
        variant="default"
        loading={drain.isPending}
        title={`roadbed pool resume ${full}`}
        aria-label={`Resume${of}`}
        onClick={() => drain.mutate({ agent: agent?.name, drain: false })}
      >
        Resume
      </Button>
    );
  }
  return (
    <>
      <Button size={size} variant="default" aria-label={`Drain${of}`} onClick={() => setAsking(true)}>
        Drain
      </Button>
      {asking && (
        <Ask
          title={`Drain ${agent ? agent.name : pool.name}`}
          says={
            agent
              ? 'The agent ends what it runs and is given nothing more, until it is resumed.'
              : 'Agents end what they run and are given nothing more. Runs of this pool wait until it is resumed.'
          }
          label="Drain it"
          command={`roadbed pool drain ${full}`}
          busy={drain.isPending}
          error={drain.error}
          close={() => setAsking(false)}
          act={() => drain.mutate({ agent: agent?.name, drain: true }, { onSuccess: () => setAsking(false) })}
        />
      )}
    </>
  );
}

/** Has the agents of a pool end as soon as they run nothing, after asking. */
function Cycle({ pool }: { pool: Pool }) {
  const [asking, setAsking] = useState(false);
  const cycle = useCycle(pool);
  return (
    <>
      <Button variant="default" onClick={() => setAsking(true)}>
        Cycle
      </Button>
      {asking && (
        <Ask
          title={`Cycle ${pool.name}`}
          says="Each agent that is there now ends as soon as it runs nothing, and is given nothing more until then. What keeps it running, such as systemd or Kubernetes, starts it anew."
          label="Cycle it"
          command={`roadbed pool cycle ${pool.namespace}/${pool.name}`}
          busy={cycle.isPending}
          error={cycle.error}
          close={() => setAsking(false)}
          act={() => cycle.mutate(undefined, { onSuccess: () => setAsking(false) })}
        />
      )}
    </>
  );
}

function Agents({ pool, admin }: { pool: Pool; admin: boolean }) {
  const query = useInfiniteQuery(agentsQuery(pool.namespace, pool.name));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section title="Agents" flush>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows count={3} />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="No agent has connected">
          {pool.waiting > 0
            ? `${pool.waiting} ${pool.waiting === 1 ? 'step waits' : 'steps wait'} for one. Connect an agent as below.`
            : 'Runs of this pool wait until one does. Connect an agent as below.'}
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Agents"
          rows={items}
          id={(a) => a.name}
          columns={[
            { name: 'Name', cell: (a) => a.name },
            { name: 'State', width: 130, cell: (a) => <State {...agentState(a)} /> },
            { name: 'Runs', cell: (a) => <Runs agent={a} /> },
            { name: 'At once', wide: true, right: true, width: 90, cell: (a) => a.parallel },
            { name: 'Version', wide: true, cell: (a) => `${a.version} on ${a.system}` },
            { name: 'Heard of', wide: true, width: 130, cell: (a) => <Moment at={a.seen} /> },
            ...(admin
              ? [
                  {
                    name: 'Drain',
                    right: true,
                    width: 110,
                    cell: (a: Agent) => a.state !== 'gone' && <Drain pool={pool} agent={a} />,
                  },
                ]
              : []),
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

function Runs({ agent }: { agent: Agent }) {
  if (agent.steps.length === 0 && !agent.others) return <Text size="sm">nothing</Text>;
  return (
    <>
      {agent.steps.map((s) => (
        <div key={s.step}>
          <Anchor size="sm" renderRoot={(props) => <Link to="/runs/$id" params={{ id: s.run }} {...props} />}>
            {s.title}
          </Anchor>{' '}
          <Text span size="sm" c="dimmed">
            begun <Moment at={s.started} />
          </Text>
        </div>
      ))}
      {agent.others ? <Text size="sm">{agent.others} that you may not see</Text> : null}
    </>
  );
}
