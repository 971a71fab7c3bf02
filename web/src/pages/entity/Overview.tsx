import { Badge, Code, Group } from '@mantine/core';
import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { application, stack as stackQuery } from '../../api/queries';
import type { Application, Entity, Stack } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Facts, Section } from '../../parts/Page';
import { Prose } from '../../parts/Prose';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { RunsOf } from '../../parts/RunsOf';
import { State } from '../../parts/State';
import { Declared } from './Declared';
import classes from './entity.module.css';
import { Links } from './Links';
import { linked, missingOf } from './linked';
import { Pairs } from './Pairs';
import { People } from './People';
import { Related } from './Related';
import { Spec } from './Spec';
import { pairsOf, specOf } from './written';

/** What there is to know of an entity; of the past without what is delivered and what runs, which are of now. */
export function Overview({ entity, past }: { entity: Entity; past: boolean }) {
  const links = (kind: string) => (past ? [] : linked(entity, kind));
  const app = useQueries({
    queries: links('application').map((r) => application(r.namespace, r.name)),
    combine: (asked) => asked.flatMap(({ data }) => data ?? []),
  });
  const stack = useQueries({
    queries: links('stack').map((r) => stackQuery(r.namespace, r.name)),
    combine: (asked) => asked.flatMap(({ data }) => data ?? []),
  });
  const repository = app[0]?.repository ?? stack[0]?.repository ?? entity.repository;
  return (
    <div className={classes.overview}>
      <div className={classes.column}>
        <About entity={entity} repository={repository} />
        <People entity={entity} />
      </div>
      <div className={`${classes.column} ${classes.side}`}>
        <Links entity={entity} />
        <Declared entity={entity} />
        <Pairs title="Labels" pairs={pairsOf(entity, 'labels')} />
        <Pairs title="Annotations" pairs={pairsOf(entity, 'annotations')} />
      </div>
      <div className={classes.column}>
        <Spec entity={entity} />
        <Related entity={entity} />
        {app.map((a) => (
          <Delivery key={a.ref} app={a} />
        ))}
        {stack.map((s) => (
          <Infrastructure key={s.ref} stack={s} />
        ))}
        {repository ? (
          <Section title="Latest runs of its repository" flush>
            <RunsOf
              filter={{ repository }}
              label="Runs of its repository"
              none="Nothing has run from its repository yet."
              limit={10}
            />
          </Section>
        ) : null}
      </div>
    </div>
  );
}

/** What a space uses of those above it. */
function ofAbove(space: Entity) {
  const { inherit } = specOf(space);
  return inherit === false
    ? 'nothing is used: no contexts, pools, secrets, price lists, or policies by label'
    : 'contexts, and pools, secrets and the like that are shared';
}

function About({ entity, repository }: { entity: Entity; repository?: string }) {
  const tags = entity.tags ?? [];
  return (
    <Section title="About">
      {entity.description && <Prose className={classes.description} text={entity.description} />}
      <Facts
        items={[
          ['Owner', entity.owner && <RefLink to={entity.owner} missing={missingOf(entity).has(entity.owner)} />],
          ['Lifecycle', entity.lifecycle],
          ['Space', entity.space],
          ['Of the spaces above', entity.kind === 'Space' && entity.name !== 'default' && ofAbove(entity)],
          ['Repository', repository && <RepositoryLink key="repository" name={repository} />],
          ['Created', <Moment key="created" at={entity.created} />],
          [
            'Changed',
            <span key="changed">
              <Moment at={entity.updated} /> by {entity.updatedBy.name}
            </span>,
          ],
          [
            'Tags',
            tags.length > 0 && (
              <Group gap={4}>
                {tags.map((tag) => (
                  <Badge
                    key={tag}
                    renderRoot={(props) => <Link to="/catalog" search={{ tag }} {...props} />}
                    variant="light"
                    tt="none"
                    fw={500}
                    color="gray"
                    style={{ cursor: 'pointer' }}
                  >
                    {tag}
                  </Badge>
                ))}
              </Group>
            ),
          ],
        ]}
      />
    </Section>
  );
}

function Delivery({ app }: { app: Application }) {
  return (
    <Section title="Application" actions={<RefLink to={app.ref} />}>
      <Facts
        items={[
          ['Health', <State key="health" state={app.health} />],
          ['Sync', <State key="sync" state={app.sync} />],
          ['Revision', app.revision && <Code>{app.revision.slice(0, 8)}</Code>],
          ['Runs at', app.destination],
          ['Message', app.message || app.why],
          [
            'Answers at',
            app.urls.length > 0 &&
              app.urls.map((u) => (
                <a key={u} href={u}>
                  {u}
                </a>
              )),
          ],
        ]}
      />
    </Section>
  );
}

function Infrastructure({ stack }: { stack: Stack }) {
  return (
    <Section title="Infrastructure" actions={<RefLink to={stack.ref} />}>
      <Facts
        items={[
          ['Last run', stack.lastRun && <State state={stack.lastRun.state} />],
          ['Resources', stack.state?.resources],
          ['State', stack.state && `serial ${stack.state.serial}`],
          ['Run', stack.lastRun && <RefLink to={stack.lastRun.id} />],
        ]}
      />
    </Section>
  );
}
