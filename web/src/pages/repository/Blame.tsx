import { ActionIcon, Tooltip } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { blame } from '../../api/code';
import type { Commit, Repository, RepositoryFile } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Rows } from '../../parts/Page';
import { digitsOf, Lines, useChosen, useColoured } from './Code';
import { Go, placeOf } from './place';
import classes from './repository.module.css';

/** Parts that come by themselves; the rest is asked for. */
const partsAtOnce = 5;

/** From the newest to the oldest, as steps of one colour. */
const ages = ['#f08c00', '#e5a94b', '#c8b37a', '#a3aab5', '#8b93a1', '#6b7280'];

/** The colour of a commit's age, among those of the file. */
export function ageOf(time: string, oldest: number, newest: number): string {
  const share = newest > oldest ? (newest - Date.parse(time)) / (newest - oldest) : 0;
  return ages[Math.min(ages.length - 1, Math.floor(share * ages.length))] ?? '#6b7280';
}

interface Props {
  repo: Repository;
  head: string;
  path: string;
  file: RepositoryFile;
}

/** A file with the commits that wrote its lines, which come part by part. */
export default function Blame({ repo, head, path, file }: Props) {
  const lines = useColoured(file.text ?? '', path, file.hash);
  const query = useInfiniteQuery(blame(repo, head, path, lines.length));
  const { chosen, choose } = useChosen();
  const parts = query.data?.pages.length ?? 0;
  const { hasNextPage, isFetching, fetchNextPage, isError } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError && parts < partsAtOnce) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, parts, fetchNextPage]);
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!query.data) return <Rows />;
  const commits = new Map<string, Commit>(query.data.pages.flatMap((p) => p.commits.map((c) => [c.hash, c])));
  const times = [...commits.values()].map((c) => Date.parse(c.time));
  const oldest = Math.min(...times);
  const newest = Math.max(...times);
  const hunks = query.data.pages.flatMap((p) => p.hunks);
  return (
    <>
      {hunks.map((h) => {
        const c = commits.get(h.commit);
        return (
          <div
            key={h.line}
            className={classes.blame}
            style={{ '--age': c ? ageOf(c.time, oldest, newest) : undefined } as React.CSSProperties}
          >
            <div className={classes.by}>
              <Go at={repo} to={{ tab: 'commit', commit: h.commit }} title={`${c?.subject}\n\n${c?.author}`}>
                {c?.subject || h.commit.slice(0, 8)}
              </Go>
              <span className={classes.quiet}>{c && <Moment at={c.time} />}</span>
              {h.before && (
                <Tooltip label="Blame before this change">
                  <ActionIcon
                    component={Link}
                    to={placeOf(repo, { ref: h.before, path: h.beforePath || path, look: 'blame', hash: `L${h.from}` })}
                    variant="subtle"
                    color="gray"
                    size={18}
                    aria-label={`Blame before the change of line ${h.line}`}
                  >
                    <IconHistory size={14} aria-hidden />
                  </ActionIcon>
                </Tooltip>
              )}
            </div>
            <Lines
              lines={lines.slice(h.line - 1, h.line - 1 + h.lines)}
              first={h.line}
              digits={digitsOf(lines.length)}
              chosen={chosen}
              choose={choose}
            />
          </div>
        );
      })}
      {parts >= partsAtOnce ? <More query={query} /> : query.isFetchingNextPage && <Rows count={3} />}
      <Failure error={query.error} retry={() => fetchNextPage()} />
    </>
  );
}
