import { Anchor, Button, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useDeleteBranch } from '../../api/proposing';
import { branches, tags } from '../../api/queries';
import type { Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';

/** Branches and tags, with who moved them last. */
export function Branches({ repo }: { repo: Repository }) {
  const { namespace, name } = repo;
  const query = useInfiniteQuery(branches(namespace, name));
  const tagged = useInfiniteQuery(tags(namespace, name));
  const remove = useDeleteBranch(namespace, name);
  const [deleting, setDeleting] = useState<string>();
  const marks = tagged.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <div style={{ display: 'grid', gap: 16, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <Section title="Branches" flush>
        {query.isPending && <Rows />}
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        <Stale query={query} />
        {query.data && (
          <Table
            label="Branches"
            rows={query.data.pages.flatMap((p) => p.items)}
            id={(b) => b.name}
            columns={[
              { name: 'Name', cell: (b) => b.name },
              { name: 'Commit', width: 110, cell: (b) => <code title={b.commit}>{shortCommit(b.commit)}</code> },
              { name: 'By', wide: true, width: 160, cell: (b) => b.by.name },
              { name: 'Moved', wide: true, width: 140, cell: (b) => <Moment at={b.updated} /> },
              {
                name: 'Next',
                right: true,
                width: 190,
                cell: (b) =>
                  b.name === repo.defaultBranch ? (
                    'the default one'
                  ) : (
                    <Group gap="xs" justify="flex-end" wrap="nowrap">
                      <Anchor
                        component={Link}
                        to={`/repositories/${namespace}/${name}/propose?source=${encodeURIComponent(b.name)}`}
                        size="sm"
                      >
                        Propose it
                      </Anchor>
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`Delete ${b.name}`}
                        onClick={() => setDeleting(b.name)}
                      >
                        Delete
                      </Button>
                    </Group>
                  ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      <Section title="Tags" flush>
        {tagged.isPending && <Rows count={2} />}
        {tagged.isLoadingError && <Failure error={tagged.error} retry={() => tagged.refetch()} />}
        {tagged.isSuccess && marks.length === 0 && <Empty title="No tags">Push one: git push origin v1.0.0</Empty>}
        {marks.length > 0 && (
          <Table
            label="Tags"
            rows={marks}
            id={(t) => t.name}
            columns={[
              { name: 'Name', cell: (t) => t.name },
              { name: 'Commit', width: 110, cell: (t) => <code title={t.commit}>{shortCommit(t.commit)}</code> },
              { name: 'By', wide: true, width: 160, cell: (t) => t.by.name },
              { name: 'Moved', right: true, width: 140, cell: (t) => <Moment at={t.updated} /> },
            ]}
          />
        )}
        <More query={tagged} />
      </Section>
      {deleting && (
        <Ask
          title={`Delete ${deleting}`}
          says="Commits that no other branch and no tag leads to can't be found any more. Open proposals of it are closed."
          label="Delete it"
          command={`git push origin --delete ${deleting}`}
          busy={remove.isPending}
          error={remove.error}
          close={() => setDeleting(undefined)}
          act={() => remove.mutate(deleting, { onSuccess: () => setDeleting(undefined) })}
        />
      )}
    </div>
  );
}
