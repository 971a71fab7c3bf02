import { Alert, Anchor, Button, Code, Group, Select } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { scorecard, scorecardEntities, scorecardTeams, scorecardTrend } from '../../api/insight';
import type { Scorecard, ScorecardDay, ScorecardRule } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Level, LevelBar } from './Levels';
import { bands } from './levels';
import classes from './scorecards.module.css';

const MarkdownText = lazy(() => import('../../parts/Markdown'));
const route = getRouteApi('/shell/scorecards/$namespace/$name');

/** What a scorecard says: of all, over time, by team, by rule, and of each. */
export function ScorecardPage() {
  const { namespace, name } = route.useParams();
  const { team } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(scorecard(namespace, name, team));
  const trend = useQuery(scorecardTrend(namespace, name, team));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const card = query.data;
  if (!card) return <PageSkeleton />;
  const set = (next: { team?: string; level?: string; failing?: string }) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  return (
    <Page
      title={card.title || card.name}
      query={query}
      about={
        <>
          <span>{card.description}</span>
          {card.owner && (
            <span>
              owned by <RefLink to={card.owner} />
            </span>
          )}
          <span>space {card.space}</span>
          {card.judged && (
            <span>
              judged <Moment at={card.judged} />
            </span>
          )}
        </>
      }
      actions={
        <>
          <FilterText
            w={210}
            aria-label="team"
            placeholder="All teams"
            value={team}
            set={(next) => set({ team: next })}
          />
          <CopyCommand command={`roadbed scorecard show ${namespace}/${name}${team ? ` --team ${team}` : ''}`} />
          <Button
            variant="default"
            renderRoot={(props) => (
              <Link to="/catalog/$kind/$namespace/$name" params={{ kind: 'scorecard', namespace, name }} {...props} />
            )}
          >
            Its document
          </Button>
        </>
      }
    >
      {card.error && (
        <Alert color="red" variant="light" title="It can’t judge">
          {card.error}. What it said before stays.
        </Alert>
      )}
      {card.judging && !card.error && (
        <Alert color="blue" variant="light" title="It is still judging">
          Its rules have changed, and not everything has been held to them yet.
        </Alert>
      )}
      {card.cut && (
        <Alert color="orange" variant="light" title="Not all of the team is counted">
          There are more groups below it than are looked at. Choose one of these.
        </Alert>
      )}
      <Section title={`${card.entities.toLocaleString('en')} are judged`}>
        <LevelBar
          card={card}
          link={(s, label) => (
            <Anchor component="button" size="sm" onClick={() => set({ level: s.name, failing: undefined })}>
              {label}
            </Anchor>
          )}
        />
      </Section>
      <Section title="Day by day">
        {trend.isLoadingError && <Failure error={trend.error} retry={() => trend.refetch()} />}
        {trend.data && <Trend card={card} days={trend.data.items} />}
      </Section>
      <Section title="Rules" flush>
        <Rules card={card} choose={(failing) => set({ failing, level: undefined })} />
      </Section>
      <Entities card={card} set={set} />
      {!team && <Teams card={card} choose={(next) => set({ team: next })} />}
    </Page>
  );
}

function Trend({ card, days }: { card: Scorecard; days: ScorecardDay[] }) {
  const [wide, high] = [600, 160];
  const first = days[0];
  const last = days[days.length - 1];
  if (!first || !last)
    return <Empty title="Nothing was counted yet">The first day is counted once something is judged.</Empty>;
  return (
    <>
      <svg
        className={classes.chart}
        viewBox={`0 0 ${wide} ${high}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`How many were at which level from ${first.day} to ${last.day}`}
      >
        {bands(card, days, wide, high).map((b) => (
          <path key={b.name} d={b.path} fill={b.color} />
        ))}
      </svg>
      <div className={classes.days}>
        <span>{first.day}</span>
        {first !== last && <span>{last.day}</span>}
      </div>
    </>
  );
}

function Rules({ card, choose }: { card: Scorecard; choose: (rule: string) => void }) {
  return (
    <Table
      label="Rules"
      rows={card.rules}
      id={(r) => r.id}
      columns={[
        {
          name: 'Rule',
          cell: (r: ScorecardRule) => (
            <>
              <strong>{r.title || r.id}</strong>
              {r.description && <div>{r.description}</div>}
              {r.remedy && (
                <Suspense fallback={r.remedy}>
                  <MarkdownText text={r.remedy} />
                </Suspense>
              )}
            </>
          ),
        },
        { name: 'Level', width: 120, cell: (r) => <Level levels={card.levels} name={r.level} /> },
        { name: 'Expression', wide: true, cell: (r) => <Code style={{ whiteSpace: 'pre-wrap' }}>{r.expression}</Code> },
        {
          name: 'Fail it',
          right: true,
          width: 100,
          cell: (r) =>
            r.failing > 0 ? (
              <Anchor
                component="button"
                size="sm"
                aria-label={`${r.failing} fail ${r.title || r.id}`}
                onClick={() => choose(r.id)}
              >
                {r.failing.toLocaleString('en')}
              </Anchor>
            ) : (
              '0'
            ),
        },
      ]}
    />
  );
}

function Entities({ card, set }: { card: Scorecard; set: (next: { level?: string; failing?: string }) => void }) {
  const { team, level, failing } = route.useSearch();
  const query = useInfiniteQuery(scorecardEntities(card.namespace, card.name, { team, level, failing }));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const titles = new Map(card.rules.map((r) => [r.id, r.title || r.id]));
  return (
    <Section
      title="Entities"
      flush
      actions={
        <Group gap="xs">
          <Select
            w={150}
            aria-label="level"
            placeholder="Any level"
            clearable
            data={[
              ...card.levels.map((l) => ({ value: l.name, label: l.title || l.name })),
              { value: 'none', label: 'No level' },
            ]}
            value={level ?? null}
            onChange={(next) => set({ level: next ?? undefined })}
          />
          <Select
            w={200}
            aria-label="failing"
            placeholder="Failing any rule or none"
            clearable
            data={card.rules.map((r) => ({ value: r.id, label: r.title || r.id }))}
            value={failing ?? null}
            onChange={(next) => set({ failing: next ?? undefined })}
          />
        </Group>
      }
    >
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && (
        <Empty title="Nothing is judged so">Another level or rule shows others.</Empty>
      )}
      {items.length > 0 && (
        <Table
          label="Entities"
          rows={items}
          id={(r) => r.entity}
          columns={[
            { name: 'Entity', cell: (r) => <RefLink to={r.entity} kind /> },
            { name: 'Owner', wide: true, cell: (r) => (r.owner ? <RefLink to={r.owner} /> : 'nobody') },
            { name: 'Level', width: 120, cell: (r) => <Level levels={card.levels} name={r.level} /> },
            { name: 'Fails', cell: (r) => r.failed.map((rule) => titles.get(rule) ?? rule).join(', ') || 'nothing' },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}

function Teams({ card, choose }: { card: Scorecard; choose: (team: string) => void }) {
  const query = useInfiniteQuery(scorecardTeams(card.namespace, card.name));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Section title="Teams, with the groups below them" flush>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {query.isSuccess && items.length === 0 && <Empty title="Nothing is judged yet" />}
      {items.some((t) => t.cut) && (
        <Alert color="orange" variant="light" title="Not all groups are counted">
          Some owners have more groups above them than are looked at, so that those above count too little.
        </Alert>
      )}
      {items.length > 0 && (
        <Table
          label="Teams"
          rows={items}
          id={(t) => t.owner ?? ''}
          columns={[
            {
              name: 'Owner',
              cell: (t) =>
                t.owner ? (
                  <Anchor component="button" size="sm" title={t.owner} onClick={() => choose(t.owner ?? '')}>
                    {t.owner.replace(/^group:default\//, '')}
                  </Anchor>
                ) : (
                  'nobody'
                ),
            },
            { name: 'Own', right: true, width: 80, wide: true, cell: (t) => t.own },
            { name: 'All', right: true, width: 80, cell: (t) => t.entities },
            {
              name: 'Levels',
              cell: (t) => (
                <LevelBar
                  card={{
                    levels: card.levels.map((l) => ({ ...l, entities: t.levels[l.name] ?? 0 })),
                    none: t.levels.none ?? 0,
                  }}
                />
              ),
            },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
