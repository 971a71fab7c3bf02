import { Anchor, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { radar as radarQuery } from '../../api/insight';
import type { Radar, RadarEntry } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Page, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { colorOf } from '../scorecards/levels';
import { plot, ringEnd } from './plot';
import classes from './radar.module.css';

const MarkdownText = lazy(() => import('../../parts/Markdown'));
const route = getRouteApi('/shell/radars/$namespace/$name');
const moves: Record<string, string> = { in: 'moved in', out: 'moved out', new: 'new' };

/** A technology radar, as a picture and as a list; each entry tells who uses it. */
export function RadarPage() {
  const { namespace, name } = route.useParams();
  const { entry } = route.useSearch();
  const query = useQuery(radarQuery(namespace, name));
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const radar = query.data;
  if (!radar) return <PageSkeleton />;
  const chosen = radar.entries.find((e) => e.id === entry);
  return (
    <Page
      title={radar.title || radar.name}
      query={query}
      about={
        <>
          <span>{radar.description}</span>
          {radar.owner && (
            <span>
              owned by <RefLink to={radar.owner} />
            </span>
          )}
        </>
      }
      actions={<CopyCommand command={`roadbed radar show ${namespace}/${name}`} />}
    >
      <Section>
        <Picture radar={radar} chosen={chosen?.id} />
      </Section>
      {chosen && <Entry radar={radar} entry={chosen} />}
      {radar.quadrants.map((q) => (
        <Quadrant key={q.id} radar={radar} id={q.id} title={q.title || q.id} />
      ))}
    </Page>
  );
}

function Picture({ radar, chosen }: { radar: Radar; chosen?: string }) {
  const radius = 300;
  const rings = radar.rings.map((r) => ({ name: r.id, color: r.color }));
  const corners: [number, number, 'start' | 'end'][] = [
    [radius, -radius + 6, 'end'],
    [radius, radius, 'end'],
    [-radius, radius, 'start'],
    [-radius, -radius + 6, 'start'],
  ];
  return (
    <svg className={classes.radar} viewBox="-320 -320 640 640" aria-label={`Radar ${radar.title || radar.name}`}>
      {[...radar.rings].reverse().map((ring, i) => {
        const at = radar.rings.length - 1 - i;
        const end = radius * ringEnd(radar.rings.length, at);
        return (
          <g key={ring.id}>
            <circle r={end} fill={i % 2 ? 'var(--ground)' : 'var(--surface)'} stroke="var(--line)" />
            <text y={-end + 15} textAnchor="middle" fontSize={12} fill="var(--quiet)">
              {ring.title || ring.id}
            </text>
          </g>
        );
      })}
      <path d={`M${-radius},0 H${radius} M0,${-radius} V${radius}`} stroke="var(--line)" />
      {radar.quadrants.map((q, i) => {
        const [x, y, anchor] = corners[i] ?? [0, 0, 'start'];
        return (
          <text key={q.id} x={x} y={y} textAnchor={anchor} fontSize={15} fontWeight={600} fill="currentColor">
            {q.title || q.id}
          </text>
        );
      })}
      {plot(radar, radius).map(({ entry, number, x, y }) => (
        <Link
          key={entry.id}
          to="/radars/$namespace/$name"
          params={{ namespace: radar.namespace, name: radar.name }}
          search={{ entry: entry.id }}
          resetScroll={false}
          aria-label={`${entry.title || entry.id}, ${entry.ring}${entry.moved ? `, ${moves[entry.moved]}` : ''}`}
          aria-current={entry.id === chosen || undefined}
        >
          <title>{entry.title || entry.id}</title>
          <circle
            cx={x}
            cy={y}
            r={entry.id === chosen ? 13 : 11}
            fill={colorOf(rings, entry.ring)}
            stroke={entry.id === chosen ? 'currentColor' : 'var(--surface)'}
            strokeWidth={2}
          />
          {entry.moved && (
            <path
              d={arrow(entry.moved, x, y)}
              fill={entry.moved === 'new' ? 'none' : 'currentColor'}
              stroke="currentColor"
            />
          )}
          <text
            x={x}
            y={y + 4}
            textAnchor="middle"
            fontSize={11}
            fontWeight={600}
            fill="light-dark(#ffffff, #111318)"
            aria-hidden
          >
            {number}
          </text>
        </Link>
      ))}
    </svg>
  );
}

/** A mark beside an entry: a triangle towards the middle or away from it, or a ring for what is new. */
function arrow(moved: string, x: number, y: number): string {
  if (moved === 'new') return `M${x - 15},${y} a15,15 0 1,0 30,0 a15,15 0 1,0 -30,0`;
  const length = Math.hypot(x, y) || 1;
  const side = moved === 'in' ? -1 : 1;
  const [dx, dy] = [(side * x) / length, (side * y) / length];
  const [tx, ty] = [x + dx * 21, y + dy * 21];
  const [bx, by] = [x + dx * 14, y + dy * 14];
  return `M${tx},${ty} L${bx - dy * 5},${by + dx * 5} L${bx + dy * 5},${by - dx * 5} Z`;
}

function Entry({ radar, entry }: { radar: Radar; entry: RadarEntry }) {
  const ring = radar.rings.find((r) => r.id === entry.ring);
  return (
    <Section title={entry.title || entry.id}>
      <Text size="sm" c="dimmed">
        {ring?.title || entry.ring}
        {entry.moved && `, ${moves[entry.moved]}`}
      </Text>
      {entry.description && (
        <Suspense fallback={entry.description}>
          <MarkdownText text={entry.description} />
        </Suspense>
      )}
      <Users entry={entry} />
      {entry.links.map((l) => (
        <div key={l.url}>
          <a href={l.url} rel="noreferrer nofollow">
            {l.title || l.url}
          </a>
        </div>
      ))}
      {entry.timeline.length > 0 && (
        <ul>
          {entry.timeline.map((m) => (
            <li key={`${m.date} ${m.ring}`}>
              {m.date}: {radar.rings.find((r) => r.id === m.ring)?.title || m.ring}
              {m.description && ` – ${m.description}`}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Users({ entry }: { entry: RadarEntry }) {
  if (!entry.tag) return null;
  return (
    <Anchor size="sm" renderRoot={(props) => <Link to="/catalog" search={{ tag: entry.tag }} {...props} />}>
      {entry.users === 1 ? '1 uses it' : `${entry.users.toLocaleString('en')} use it`}
    </Anchor>
  );
}

function Quadrant({ radar, id, title }: { radar: Radar; id: string; title: string }) {
  const spots = plot(radar, 1).filter((s) => s.entry.quadrant === id);
  if (spots.length === 0) return null;
  return (
    <Section title={title} flush>
      <Table
        label={title}
        rows={spots}
        id={(s) => s.entry.id}
        columns={[
          { name: '#', width: 50, cell: (s) => s.number },
          {
            name: 'Technology',
            cell: (s) => (
              <Link
                to="/radars/$namespace/$name"
                params={{ namespace: radar.namespace, name: radar.name }}
                search={{ entry: s.entry.id }}
              >
                {s.entry.title || s.entry.id}
              </Link>
            ),
          },
          {
            name: 'Ring',
            width: 120,
            cell: (s) => radar.rings.find((r) => r.id === s.entry.ring)?.title || s.entry.ring,
          },
          { name: 'Moved', width: 110, wide: true, cell: (s) => (s.entry.moved ? moves[s.entry.moved] : '') },
          { name: 'Used by', width: 120, right: true, cell: (s) => <Users entry={s.entry} /> },
        ]}
      />
    </Section>
  );
}
