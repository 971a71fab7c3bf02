import { Anchor } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { archiveAddress, tagList } from '../../api/code';
import type { Repository } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { shortCommit } from '../../words/ref';
import { Go } from './place';
import { Refs, useNamePart } from './Refs';
import classes from './repository.module.css';

/** Tags with what they say, and their files as archives. */
export default function Tags({ repo }: { repo: Repository }) {
  const query = useInfiniteQuery(tagList(repo, useNamePart(), true));
  return (
    <Refs
      repo={repo}
      kind="tags"
      query={query}
      none="A tag names a commit for good, such as a release. Make one here, or push it: git push origin v1.0.0"
      lost="What was made of it keeps its name, but nobody finds the commit by it any more. A clone may still have it."
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
          wide: true,
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
      ]}
      next={(t) => (
        <>
          <Anchor href={archiveAddress(repo, t.name, 'zip')} size="sm" download>
            zip
          </Anchor>
          <Anchor href={archiveAddress(repo, t.name, 'tar.gz')} size="sm" download>
            tar.gz
          </Anchor>
        </>
      )}
    />
  );
}
