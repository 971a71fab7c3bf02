import { Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { entityHistory } from '../../api/queries';
import type { Entity } from '../../api/types';
import { Diff } from '../../parts/Diff';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { parseRef } from '../../words/ref';

export function Versions({ entity }: { entity: Entity }) {
  const { kind = '', namespace = '', name = '' } = parseRef(entity.ref) ?? {};
  const query = useInfiniteQuery(entityHistory(kind, namespace, name));
  return (
    <Section title="Versions of the document">
      {query.isPending && <Rows count={3} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {(query.data?.pages.flatMap((p) => p.items) ?? []).map((v, i) => (
        <details key={v.version} open={i === 0} style={{ marginBottom: 12 }}>
          <summary style={{ cursor: 'pointer' }}>
            Version {v.version}, {v.action} by {v.actor.name}, <Moment at={v.time} />
            {v.commit && ` (${v.commit.slice(0, 8)})`}
          </summary>
          {v.diff ? (
            <Diff text={v.diff} label={`What version ${v.version} changed`} />
          ) : (
            <Text size="sm" c="dimmed">
              Nothing to compare.
            </Text>
          )}
        </details>
      ))}
      <More query={query} />
    </Section>
  );
}
