import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import type { Commit, Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { shortCommit } from '../../words/ref';
import { Go } from './place';
import classes from './repository.module.css';

interface Props {
  repo: Repository;
  query: UseInfiniteQueryResult<{ pages: { items: Commit[] }[] }>;
  /** A file or a folder that can be looked at as it was then. */
  path?: string;
  none?: string;
}

const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full' });

/** Commits by day, the newest first, each with a way to its page and to the files as they were. */
export function CommitList({ repo, query, path = '', none }: Props) {
  const all = query.data?.pages.flatMap((p) => p.items) ?? [];
  const days: { name: string; commits: Commit[] }[] = [];
  for (const c of all) {
    const name = day.format(new Date(c.time));
    if (days.at(-1)?.name === name) days.at(-1)?.commits.push(c);
    else days.push({ name, commits: [c] });
  }
  return (
    <Section flush>
      {query.isPending && <Rows />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isSuccess && all.length === 0 && <Empty title={none ?? 'No commit'} />}
      {days.map(({ name, commits }) => (
        <section key={`${name} ${commits[0]?.hash}`} aria-label={name}>
          <h3 className={classes.day}>{name}</h3>
          <ul className={classes.commits}>
            {commits.map((c) => (
              <li key={c.hash}>
                <div className={classes.commitWords}>
                  <Go at={repo} to={{ tab: 'commit', commit: c.hash }} title={c.message} fw={550}>
                    {c.subject || 'without a message'}
                  </Go>
                  <span className={classes.quiet}>
                    {c.author}, <Moment at={c.time} />
                    {c.path && c.path !== path && <> · then {c.path}</>}
                    {c.parents.length > 1 && ' · a merge'}
                  </span>
                </div>
                <Go at={repo} to={{ ref: c.hash, path: c.path ?? path }} title="The files as they were then">
                  <code>{shortCommit(c.hash)}</code>
                </Go>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <More query={query} />
    </Section>
  );
}
