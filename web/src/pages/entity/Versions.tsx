import { Anchor, Button, Group, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { entityHistory, type HistoryFilter } from '../../api/queries';
import { AsOf } from '../../parts/AsOf';
import { CommitLink } from '../../parts/CommitLink';
import { Diff } from '../../parts/Diff';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { parseRef, shortCommit, shortRef } from '../../words/ref';

const route = getRouteApi('/shell/catalog/$kind/$namespace/$name');

export function Versions({ of }: { of: string }) {
  const { kind = '', namespace = '', name = '' } = parseRef(of) ?? {};
  const { since, until, actor } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (next: HistoryFilter) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const query = useInfiniteQuery(entityHistory(kind, namespace, name, { since, until, actor }));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const filtered = since || until || actor;
  return (
    <Section title="Versions of the document">
      <Group gap="sm" mb="md">
        <Text size="sm">Since</Text>
        <AsOf label="Since" at={since} set={(at) => set({ since: at })} />
        <Text size="sm">until</Text>
        <AsOf label="Until" at={until} set={(at) => set({ until: at })} />
        {filtered && (
          <Button variant="default" onClick={() => set({ since: undefined, until: undefined, actor: undefined })}>
            {actor ? `Of everybody, not only ${items[0]?.actor.name ?? actor}` : 'At any time'}
          </Button>
        )}
      </Group>
      {query.isPending && <Rows count={3} />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      <Stale query={query} />
      {query.isSuccess && items.length === 0 && (
        <Empty title="No version of that">At any time there may be some.</Empty>
      )}
      {items.map((v, i) => (
        <details key={v.version} open={i === 0} style={{ marginBottom: 12 }}>
          <summary style={{ cursor: 'pointer' }}>
            Version {v.version}, {v.action} by {v.author || v.actor.name}, <Moment at={v.time} />
          </summary>
          <Group gap="md" my={6} fz="sm">
            {v.action !== 'deleted' && (
              <Link to="/catalog/$kind/$namespace/$name" params={{ kind, namespace, name }} search={{ asOf: v.time }}>
                See it as it was
              </Link>
            )}
            {v.commit &&
              (v.repository ? (
                <CommitLink repository={v.repository} commit={v.commit} />
              ) : (
                <span title={v.commit}>Commit {shortCommit(v.commit)}</span>
              ))}
            {!actor && (
              <Anchor component="button" size="sm" onClick={() => set({ actor: v.actor.id })}>
                Only by {v.actor.name}
              </Anchor>
            )}
            <Link to="/ledger" search={{ ref: of }} title={v.entry}>
              Ledger entry {shortRef(v.entry)}
            </Link>
          </Group>
          {v.diff ? (
            <Diff text={v.diff} label={`What version ${v.version} changed`} />
          ) : (
            <Text size="sm" c="dimmed">
              {v.action === 'created' ? 'It was made; nothing to compare.' : 'Nothing to compare.'}
            </Text>
          )}
        </details>
      ))}
      <More query={query} />
    </Section>
  );
}
