import { Anchor, Code, Group } from '@mantine/core';
import { IconExternalLink, IconFile, IconFolder } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { file, tree } from '../../api/queries';
import type { Repository } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { bytes } from '../../words/time';

const MarkdownText = lazy(() => import('../../parts/Markdown'));
const route = getRouteApi('/shell/repositories/$namespace/$name');

/** Folders and files at the head of the default branch. A path that ends in a slash, or none, is a folder. */
export function Files({ repo, head }: { repo: Repository; head: string }) {
  const { path = '' } = route.useSearch();
  const isFolder = path === '' || path.endsWith('/');
  return (
    <div style={{ display: 'grid', gap: 12, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <Trail repo={repo} path={path} />
      {isFolder ? <Folder repo={repo} head={head} path={path} /> : <File repo={repo} head={head} path={path} />}
    </div>
  );
}

function Go({ repo, path, children }: { repo: Repository; path: string; children: React.ReactNode }) {
  return (
    <Anchor
      component={Link}
      to={`/repositories/${repo.namespace}/${repo.name}${path && `?path=${encodeURIComponent(path)}`}`}
      size="sm"
    >
      {children}
    </Anchor>
  );
}

/** The folders above a path, each as a link. */
function Trail({ repo, path }: { repo: Repository; path: string }) {
  const parts = path.split('/').filter(Boolean);
  if (parts.length === 0) return null;
  return (
    <Group gap={6} role="navigation" aria-label="Folders above">
      <Go repo={repo} path="">
        {repo.name}
      </Go>
      {parts.map((part, i) => {
        const to = `${parts.slice(0, i + 1).join('/')}/`;
        return (
          <span key={to}>
            {'/ '}
            {i < parts.length - 1 ? (
              <Go repo={repo} path={to}>
                {part}
              </Go>
            ) : (
              part
            )}
          </span>
        );
      })}
    </Group>
  );
}

interface At {
  repo: Repository;
  head: string;
  path: string;
}

function Folder({ repo, head, path }: At) {
  const query = useQuery(tree(repo.namespace, repo.name, head, path.replace(/\/$/, '')));
  const items = (query.data?.items ?? []).toSorted(
    (a, b) => Number(b.type === 'tree') - Number(a.type === 'tree') || a.path.localeCompare(b.path),
  );
  const readme = items.find((f) => f.type === 'blob' && /(^|\/)readme\.md$/i.test(f.path));
  return (
    <>
      <Section flush>
        {query.isPending && <Rows />}
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isSuccess && items.length === 0 && <Empty title="An empty folder" />}
        {items.length > 0 && (
          <Table
            label="Files"
            rows={items}
            id={(f) => f.path}
            columns={[
              {
                name: 'Name',
                cell: (f) => {
                  const Icon = f.type === 'tree' ? IconFolder : IconFile;
                  return (
                    <Group gap={8} wrap="nowrap">
                      <Icon size={15} stroke={1.7} aria-hidden />
                      {f.type === 'commit' ? (
                        f.path
                      ) : (
                        <Go repo={repo} path={f.type === 'tree' ? `${f.path}/` : f.path}>
                          {f.path.split('/').at(-1)}
                        </Go>
                      )}
                    </Group>
                  );
                },
              },
              { name: 'Size', right: true, width: 120, cell: (f) => (f.type === 'blob' ? bytes(f.size ?? 0) : '') },
            ]}
          />
        )}
      </Section>
      {readme && <Readme repo={repo} head={head} path={readme.path} />}
    </>
  );
}

/** The README of a folder, as it is meant to be read. */
function Readme({ repo, head, path }: At) {
  const query = useQuery(file(repo.namespace, repo.name, head, path));
  if (!query.data?.text) return null;
  return (
    <Section title={path.split('/').at(-1)}>
      <Suspense>
        <MarkdownText text={query.data.text} />
      </Suspense>
    </Section>
  );
}

function File({ repo, head, path }: At) {
  const query = useQuery(file(repo.namespace, repo.name, head, path));
  const raw = `/git/${[repo.namespace, repo.name, ...path.split('/')].map(encodeURIComponent).join('/')}`;
  return (
    <Section
      title={path.split('/').at(-1)}
      actions={
        <Anchor href={raw} size="sm">
          The file itself <IconExternalLink size={13} aria-hidden />
        </Anchor>
      }
      flush
    >
      {query.isPending && <Rows />}
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.data &&
        (query.data.binary ? (
          <Empty title="Not a text">It has {bytes(query.data.size)}.</Empty>
        ) : (
          <Code block bg="transparent" tabIndex={0}>
            {query.data.text}
          </Code>
        ))}
    </Section>
  );
}
