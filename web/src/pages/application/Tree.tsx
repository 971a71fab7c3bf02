import { Anchor, Skeleton, Text } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { ApplicationDetail } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Empty, Section } from '../../parts/Page';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { drawn, leveled } from './tree';

const Graph = lazy(() => import('../../graph/Graph'));
/** Beyond this many objects a picture tells nothing; the list does. */
const mostDrawn = 60;

/** The application's objects, as a picture and as a list; a pod leads to its log. */
export function Tree({ app }: { app: ApplicationDetail }) {
  const navigate = useNavigate();
  const log = (pod: string) =>
    navigate({
      to: '/applications/$namespace/$name',
      params: { namespace: app.namespace, name: app.name },
      search: { tab: 'logs', pod },
    });
  if (app.tree.length === 0) {
    return (
      <Section>
        <Empty title="Nothing is deployed yet">
          {app.message || 'The first sync puts its objects on the cluster: press Sync, or push to its repository.'}
        </Empty>
      </Section>
    );
  }
  return (
    <div style={{ display: 'grid', gap: 24, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      {app.tree.length <= mostDrawn && (
        <Section title="Picture" flush>
          <Suspense fallback={<Skeleton height={280} />}>
            <Graph label={`Resources of ${app.name}`} {...drawn(app, app.tree)} onChoose={(pod) => void log(pod)} />
          </Suspense>
        </Section>
      )}
      <Section title="List" flush>
        <Table
          label="Resources with their health"
          rows={leveled(app.tree)}
          id={({ object }) => object.key}
          columns={[
            {
              name: 'Resource',
              cell: ({ object, level }) => (
                <div style={{ paddingLeft: level * 22, minWidth: 200 }}>
                  <Text span size="xs" c="dimmed">
                    {level > 0 && '└ '}
                    {object.kind}
                  </Text>{' '}
                  {object.kind === 'Pod' ? (
                    <Anchor
                      component={Link}
                      to={`/applications/${app.namespace}/${app.name}?tab=logs&pod=${encodeURIComponent(object.name)}`}
                      size="sm"
                      title="Its log"
                    >
                      {object.name}
                    </Anchor>
                  ) : (
                    object.name
                  )}
                  {object.message && (
                    <Text size="xs" c="dimmed">
                      {object.message}
                    </Text>
                  )}
                </div>
              ),
            },
            { name: 'Health', width: 140, cell: ({ object }) => <State state={object.health} bare /> },
            { name: 'Ready', wide: true, width: 80, right: true, cell: ({ object }) => object.ready },
            { name: 'Restarts', wide: true, width: 90, right: true, cell: ({ object }) => object.restarts || '' },
            { name: 'Image', wide: true, cell: ({ object }) => <Image name={object.image ?? ''} /> },
            { name: 'Age', wide: true, right: true, width: 130, cell: ({ object }) => <Moment at={object.created} /> },
          ]}
        />
      </Section>
    </div>
  );
}

/** An image by its name and the beginning of its digest; all of it on hover. */
function Image({ name }: { name: string }) {
  return <span title={name}>{name.replace(/(@sha256:[0-9a-f]{8})[0-9a-f]+$/, '$1…')}</span>;
}
