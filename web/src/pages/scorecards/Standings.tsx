import { Anchor, Progress, Text } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { standingHistory, standings } from '../../api/insight';
import type { Entity, Standing, StandingRule } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { Facts } from './Facts';
import { Level } from './Levels';
import classes from './scorecards.module.css';

const MarkdownText = lazy(() => import('../../parts/Markdown'));

/** What all scorecards say of an entity, what to do for the next level of each, and what outside systems tell of it. */
export default function Standings({ entity }: { entity: Entity }) {
  const query = useQuery(standings(entity.kind, entity.namespace, entity.name));
  const items = query.data?.items ?? [];
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (query.isPending) return <Rows />;
  return (
    <div style={{ display: 'grid', gap: 24, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      {items.length === 0 && (
        <Section>
          <Empty title="No scorecard judges it" action={<Link to="/scorecards">All scorecards</Link>}>
            A scorecard whose filter takes it would say here what is wanted of it.
          </Empty>
        </Section>
      )}
      {items.map((s) => (
        <Card key={s.scorecard} standing={s} />
      ))}
      <Facts entity={entity} />
      {items.length > 0 && <History entity={entity} />}
    </div>
  );
}

function Card({ standing: s }: { standing: Standing }) {
  const title = s.title || s.name;
  const next = s.levels.find((l) => l.name === s.next);
  const wanted = s.rules.filter((r) => s.missing.includes(r.id));
  const rest = s.rules.filter((r) => !s.missing.includes(r.id));
  return (
    <Section
      title={title}
      actions={
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/scorecards/$namespace/$name" params={{ namespace: s.namespace, name: s.name }} {...props} />
          )}
        >
          Its scorecard
        </Anchor>
      }
    >
      <Text>
        <Level levels={s.levels} name={s.level} />
        {s.since && (
          <Text span c="dimmed" size="sm">
            {' '}
            since <Moment at={s.since} />
          </Text>
        )}
        <Text span c="dimmed" size="sm">
          {' '}
          · {s.passed} of {s.rules.length} rules pass
        </Text>
      </Text>
      <Progress
        mt={8}
        value={(100 * s.passed) / Math.max(1, s.rules.length)}
        aria-label={`${s.passed} of ${s.rules.length} rules of ${title} pass`}
      />
      {wanted.length > 0 && (
        <>
          <h3 className={classes.next}>To reach {next?.title || s.next}</h3>
          <RuleList rules={wanted} />
        </>
      )}
      {rest.length > 0 && (
        <details open={wanted.length === 0}>
          <summary className={classes.next} style={{ cursor: 'pointer' }}>
            {wanted.length > 0 ? 'The other rules' : 'Its rules'}
          </summary>
          <RuleList rules={rest} />
        </details>
      )}
    </Section>
  );
}

function RuleList({ rules }: { rules: StandingRule[] }) {
  return (
    <ul className={classes.rules}>
      {rules.map((r) => (
        <li key={r.id}>
          {r.passed ? (
            <IconCircleCheck size={18} color="var(--good)" aria-label="passes" role="img" />
          ) : (
            <IconCircleX size={18} color="var(--bad)" aria-label="fails" role="img" />
          )}
          <div>
            <strong>{r.title || r.id}</strong>{' '}
            <Text span size="sm" c="dimmed">
              {r.level}
            </Text>
            {r.description && <div>{r.description}</div>}
            {!r.passed && r.remedy && (
              <Suspense fallback={r.remedy}>
                <MarkdownText text={r.remedy} />
              </Suspense>
            )}
            {r.error && (
              <Text size="sm" c="red">
                It could not be asked: {r.error}
              </Text>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

function History({ entity }: { entity: Entity }) {
  const query = useInfiniteQuery(standingHistory(entity.kind, entity.namespace, entity.name));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section title="How it was judged" flush>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows count={3} />}
      {items.length > 0 && (
        <Table
          label="How it was judged"
          rows={items}
          id={(c) => `${c.scorecard} ${c.time}`}
          columns={[
            { name: 'Scorecard', cell: (c) => <RefLink to={c.scorecard} /> },
            { name: 'Level', width: 130, cell: (c) => (c.gone ? 'not judged' : c.level || 'none') },
            { name: 'Fails', wide: true, cell: (c) => c.failed.join(', ') || 'nothing' },
            { name: 'When', right: true, width: 140, cell: (c) => <Moment at={c.time} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
