import { Anchor, Button, Group } from '@mantine/core';
import { IconFile, IconFileSymlink, IconFolder, IconFolderSymlink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { lastCommits, tree } from '../../api/code';
import type { Commit, Repository, TreeEntry } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Empty, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { bytes } from '../../words/time';
import { NotThere } from './NotThere';
import { Go } from './place';
import { Readme } from './Readme';
import classes from './repository.module.css';

interface At {
  repo: Repository;
  head: string;
  at?: string;
  path: string;
}

const base = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Entries that are shown until more are asked for. */
const shownAtFirst = 1_000;

/** What is in a folder, each with the commit that changed it last. */
export function Folder({ repo, head, at, path }: At) {
  const folder = path.replace(/\/$/, '');
  const query = useQuery(tree(repo.namespace, repo.name, head, folder));
  const [all, setAll] = useState(false);
  const last = useQuery(lastCommits(repo, head, folder));
  const commits = useMemo(() => {
    const byHash = new Map(last.data?.commits.map((c) => [c.hash, c]));
    const of = new Map<string, Commit>();
    for (const { name, commit } of last.data?.entries ?? []) {
      const found = byHash.get(commit);
      if (found) of.set(name, found);
    }
    return of;
  }, [last.data]);
  const items = useMemo(
    () =>
      (query.data?.items ?? []).toSorted(
        (a, b) => Number(b.type === 'tree') - Number(a.type === 'tree') || a.path.localeCompare(b.path),
      ),
    [query.data],
  );
  if (query.isLoadingError) return <NotThere repo={repo} at={at} error={query.error} retry={() => query.refetch()} />;
  const readme = items.find((f) => f.type === 'blob' && /^readme(\.md|\.markdown|\.txt)?$/i.test(base(f.path)));
  const newest = [...commits.values()].toSorted((a, b) => b.time.localeCompare(a.time))[0];
  return (
    <>
      <Section flush>
        {newest && (
          <div className={classes.newest}>
            <b>{newest.author}</b>
            <Go
              at={repo}
              to={{ tab: 'commit', commit: newest.hash }}
              title={newest.message}
              lineClamp={1}
              style={{ flex: '1 1 200px' }}
            >
              {newest.subject}
            </Go>
            <Moment at={newest.time} />
            <Go at={repo} to={{ ref: at, path, look: 'history' }}>
              History
            </Go>
          </div>
        )}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && <Empty title="An empty folder" />}
        {items.length > 0 && (
          <Table
            label="Files"
            rows={all ? items : items.slice(0, shownAtFirst)}
            id={(f) => f.path}
            columns={[
              { name: 'Name', cell: (f) => <Name entry={f} repo={repo} at={at} /> },
              {
                name: 'Last commit',
                wide: true,
                width: '42%',
                cell: (f) => {
                  const c = commits.get(base(f.path));
                  if (!c) return <span className={classes.quiet}>{last.isPending ? '…' : ''}</span>;
                  return (
                    <Go
                      at={repo}
                      to={{ tab: 'commit', commit: c.hash }}
                      title={`${c.message}\n\n${c.author}`}
                      c="dimmed"
                      lineClamp={1}
                    >
                      {c.subject}
                    </Go>
                  );
                },
              },
              {
                name: 'Size',
                right: true,
                width: 90,
                wide: true,
                cell: (f) => (f.type === 'blob' ? bytes(f.size ?? 0) : ''),
              },
              {
                name: 'When',
                right: true,
                width: 130,
                cell: (f) => {
                  const c = commits.get(base(f.path));
                  return c ? <Moment at={c.time} /> : '';
                },
              },
            ]}
          />
        )}
        {!all && items.length > shownAtFirst && (
          <div style={{ padding: 12, textAlign: 'center' }}>
            <Button variant="default" size="compact-sm" onClick={() => setAll(true)}>
              Show all {items.length.toLocaleString('en')} entries
            </Button>
          </div>
        )}
        {last.data && !last.data.complete && items.length > 0 && (
          <p className={classes.none}>The history is too long to tell the last commit of each. Open one for its own.</p>
        )}
      </Section>
      {readme && <Readme repo={repo} head={head} at={at} path={readme.path} />}
    </>
  );
}

function Name({ entry, repo, at }: { entry: TreeEntry; repo: Repository; at?: string }) {
  const link = entry.mode === '120000';
  const Icon =
    entry.type === 'commit'
      ? IconFolderSymlink
      : entry.type === 'tree'
        ? IconFolder
        : link
          ? IconFileSymlink
          : IconFile;
  return (
    <Group gap={8} wrap="nowrap">
      <Icon size={15} stroke={1.7} aria-hidden style={{ flex: 'none' }} />
      {entry.type !== 'commit' ? (
        <Go at={repo} to={{ ref: at, path: entry.type === 'tree' ? `${entry.path}/` : entry.path }}>
          {base(entry.path)}
        </Go>
      ) : entry.remote ? (
        <Anchor href={entry.remote} rel="noreferrer nofollow" size="sm">
          {base(entry.path)}
        </Anchor>
      ) : (
        base(entry.path)
      )}
      {entry.type === 'commit' && <span className={classes.quiet}>submodule at {entry.hash.slice(0, 8)}</span>}
      {link && <span className={classes.quiet}>link</span>}
      {entry.mode === '100755' && <span className={classes.quiet}>runs</span>}
    </Group>
  );
}
