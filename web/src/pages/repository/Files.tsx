import { Button, Group, Menu, Tooltip } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconDots, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { commitOf } from '../../api/code';
import type { Repository } from '../../api/types';
import { Rows } from '../../parts/Page';
import { Dropzone } from './Dropzone';
import { Folder } from './Folder';
import { GoToFile } from './GoToFile';
import { History } from './History';
import { NotThere } from './NotThere';
import { mayWrite, placeOf } from './place';
import { RefPicker } from './RefPicker';
import { Trail } from './Trail';

const File = lazy(() => import('./File'));
const Edit = lazy(() => import('./Edit'));
const route = getRouteApi('/shell/repositories/$namespace/$name');

/** Folders and files at a branch, a tag or a commit. A path that ends in a slash, or none, is a folder. */
export function Files({ repo }: { repo: Repository }) {
  const { path = '', ref, look } = route.useSearch();
  const navigate = route.useNavigate();
  const shown = ref ?? repo.defaultBranch;
  const isDefault = shown === repo.defaultBranch;
  const asked = useQuery({ ...commitOf(repo, shown), enabled: !isDefault && Boolean(repo.head) });
  const [seeking, setSeeking] = useState(false);
  const [dropped, setDropped] = useState<File[]>([]);
  useEffect(() => {
    if (look !== 'upload') setDropped([]);
  }, [look]);
  const head = (isDefault ? repo.head : asked.data?.hash) ?? '';
  const isFolder = path === '' || path.endsWith('/');
  useHotkeys([
    ['t', () => setSeeking(true)],
    ['y', () => head && navigate({ search: (s) => ({ ...s, ref: head }), hash: (h) => h ?? '', replace: true })],
  ]);
  if (asked.isLoadingError) return <NotThere repo={repo} error={asked.error} retry={() => asked.refetch()} />;
  if (!head && repo.head) return <Rows />;
  const editing = look === 'edit' || look === 'new' || look === 'delete' || look === 'upload';
  const drop = (files: File[]) => {
    setDropped(files);
    void navigate({ search: (s) => ({ ...s, look: 'upload' }) });
  };
  return (
    <div style={{ display: 'grid', gap: 12, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <Group gap="xs" justify="space-between">
        <Group gap="xs" style={{ minWidth: 0 }}>
          <RefPicker
            repo={repo}
            value={shown}
            choose={(to) => placeOf(repo, { ref: to, path, look: editing ? undefined : look })}
          />
          <Trail repo={repo} at={ref} path={path} />
        </Group>
        {!editing && (
          <Group gap="xs">
            <Tooltip label="Press t">
              <Button
                variant="default"
                size="compact-sm"
                leftSection={<IconSearch size={14} aria-hidden />}
                onClick={() => setSeeking(true)}
              >
                Go to file
              </Button>
            </Tooltip>
            {isFolder && <More repo={repo} at={ref} path={path} head={head} look={look} />}
          </Group>
        )}
      </Group>
      <Suspense fallback={<Rows />}>
        {editing ? (
          <Edit
            key={`${shown} ${path} ${look}`}
            repo={repo}
            head={head}
            branch={shown}
            path={path}
            look={look}
            dropped={dropped}
          />
        ) : look === 'history' ? (
          <History repo={repo} head={head} path={path} />
        ) : isFolder ? (
          <Dropzone quiet off={!mayWrite(repo) || repo.archived || ref === head} take={drop}>
            <Folder repo={repo} head={head} at={ref} path={path} />
          </Dropzone>
        ) : (
          <File repo={repo} head={head} at={ref} path={path} />
        )}
      </Suspense>
      {seeking && <GoToFile repo={repo} head={head} at={ref} close={() => setSeeking(false)} />}
    </div>
  );
}

interface MoreProps {
  repo: Repository;
  at?: string;
  path: string;
  head: string;
  look?: string;
}

function More({ repo, at, path, head, look }: MoreProps) {
  const to = (place: { look?: string; path?: string; tab?: string; ref?: string }) =>
    placeOf(repo, { ref: at, path, ...place });
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button variant="default" size="compact-sm" aria-label="More of this folder">
          <IconDots size={16} aria-hidden />
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {mayWrite(repo) && (
          <Menu.Item component={Link} to={to({ look: 'new' })}>
            New file here
          </Menu.Item>
        )}
        {mayWrite(repo) && (
          <Menu.Item component={Link} to={to({ look: 'upload' })}>
            Upload files here
          </Menu.Item>
        )}
        {look === 'history' ? (
          <Menu.Item component={Link} to={to({})}>
            Its files
          </Menu.Item>
        ) : (
          <Menu.Item component={Link} to={to({ look: 'history' })}>
            History
          </Menu.Item>
        )}
        <Menu.Item component={Link} to={to({ ref: head })} rightSection="y">
          Permanent link
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
