import { Anchor, Button, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { archiveAddress, tagList, useDeleteTag } from '../../api/code';
import type { Repository } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';
import { NewRef } from './NewRef';
import { Go, mayWrite } from './place';
import classes from './repository.module.css';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** Tags with what they say, and their files as archives. */
export default function Tags({ repo }: { repo: Repository }) {
  const { namespace, name } = repo;
  const { text } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(tagList(repo, text ?? '', true));
  const remove = useDeleteTag(repo);
  const [deleting, setDeleting] = useState<string>();
  const [making, setMaking] = useState(false);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <>
      <Section
        title="Tags"
        flush
        actions={
          <Group gap="xs">
            <FilterText
              aria-label="Name"
              placeholder="Name"
              value={text}
              set={(value) => navigate({ search: (s) => ({ ...s, text: value }), replace: true })}
            />
            <CopyCommand command={`roadbed repo tags ${namespace}/${name}`} />
            {mayWrite(repo) && (
              <Button size="compact-sm" onClick={() => setMaking(true)}>
                New tag
              </Button>
            )}
          </Group>
        }
      >
        {query.isPending && <Rows count={2} />}
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        <Stale query={query} />
        {query.isSuccess && items.length === 0 && (
          <Empty title={text ? 'No tag is called that' : 'No tag yet'}>
            {!text &&
              'A tag names a commit for good, such as a release. Make one here, or push it: git push origin v1.0.0'}
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Tags"
            rows={items}
            id={(t) => t.name}
            columns={[
              {
                name: 'Name',
                cell: (t) => (
                  <div className={classes.commitWords}>
                    <Go at={repo} to={{ ref: t.name }} fw={550}>
                      {t.name}
                    </Go>
                    {t.message && <span style={{ whiteSpace: 'pre-wrap' }}>{t.message}</span>}
                  </div>
                ),
              },
              {
                name: 'Commit',
                width: 110,
                cell: (t) => (
                  <Go at={repo} to={{ tab: 'commit', commit: t.commit }} title={t.last?.subject}>
                    <code>{shortCommit(t.commit)}</code>
                  </Go>
                ),
              },
              {
                name: 'Tagged',
                wide: true,
                width: 190,
                cell: (t) => (
                  <>
                    {t.tagger || t.by.name}, <Moment at={t.tagged ?? t.updated} />
                  </>
                ),
              },
              {
                name: 'Next',
                right: true,
                width: 200,
                wide: true,
                cell: (t) => (
                  <Group gap="xs" justify="flex-end" wrap="nowrap">
                    <Anchor href={archiveAddress(repo, t.name, 'zip')} size="sm" download>
                      zip
                    </Anchor>
                    <Anchor href={archiveAddress(repo, t.name, 'tar.gz')} size="sm" download>
                      tar.gz
                    </Anchor>
                    {mayWrite(repo) && (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`Delete ${t.name}`}
                        onClick={() => setDeleting(t.name)}
                      >
                        Delete
                      </Button>
                    )}
                  </Group>
                ),
              },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {making && <NewRef repo={repo} kind="tags" close={() => setMaking(false)} />}
      {deleting && (
        <Ask
          title={`Delete ${deleting}`}
          says="What was made of it keeps its name, but nobody finds the commit by it any more. A clone may still have it."
          label="Delete it"
          command={`roadbed repo tag ${namespace}/${name} ${deleting} --delete`}
          busy={remove.isPending}
          error={remove.error}
          close={() => {
            remove.reset();
            setDeleting(undefined);
          }}
          act={() => remove.mutate(deleting, { onSuccess: () => setDeleting(undefined) })}
        />
      )}
    </>
  );
}
