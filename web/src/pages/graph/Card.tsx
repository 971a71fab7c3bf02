import { ActionIcon, Group } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { EntityGraph } from '../../api/types';
import { RefLink } from '../../parts/RefLink';
import { refPath, shortRef } from '../../words/ref';
import classes from './graph.module.css';
import { wayTo } from './shape';

const route = getRouteApi('/shell/graph');

/** What is known of an entity of the graph, and where to go from there. */
export function Card({ graph, chosen, close }: { graph: EntityGraph; chosen: string; close: () => void }) {
  const { asOf } = route.useSearch();
  const node = graph.nodes.find((n) => n.ref === chosen);
  if (!node) return null;
  const way = wayTo(graph, chosen);
  const path = refPath(chosen);
  const title = node.title || shortRef(chosen);
  return (
    <article className={classes.card} aria-label={`About ${title}`}>
      <Group justify="space-between" wrap="nowrap" align="start" gap="xs">
        <strong className={classes.title}>{title}</strong>
        <ActionIcon variant="subtle" color="gray" size={24} aria-label="Close" onClick={close}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <div className={classes.note}>
        {[node.kind, node.type, !node.exists && 'not there, or not for you to see'].filter(Boolean).join(' · ')}
      </div>
      <dl className={classes.facts}>
        {node.owner && (
          <>
            <dt>Owner</dt>
            <dd>
              <RefLink to={node.owner} asOf={asOf} />
            </dd>
          </>
        )}
        {node.system && (
          <>
            <dt>System</dt>
            <dd>
              <RefLink to={node.system} asOf={asOf} />
            </dd>
          </>
        )}
        {way && (
          <>
            <dt>Way</dt>
            <dd>
              {shortRef(graph.root)}, {way}
            </dd>
          </>
        )}
      </dl>
      {node.exists && (
        <nav className={classes.links} aria-label={`From ${title}`}>
          {path && (
            <Link to={path} search={asOf ? { asOf } : undefined}>
              Its page
            </Link>
          )}
          {chosen !== graph.root && (
            <Link to="/graph" search={{ root: chosen, asOf }}>
              Graph from here
            </Link>
          )}
          <Link to="/graph" search={{ root: chosen, view: 'impact', asOf }}>
            What depends on it
          </Link>
        </nav>
      )}
    </article>
  );
}
