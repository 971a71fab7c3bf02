import { Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { history } from '../../api/code';
import type { Repository } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { FilterText } from '../../parts/FilterText';
import { CommitList } from './CommitList';
import { placeOf } from './place';
import { RefPicker } from './RefPicker';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** The commits of a branch, narrowed by path, author and message. */
export default function Commits({ repo }: { repo: Repository }) {
  const { ref = repo.defaultBranch, path, author, text } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(history(repo, { ref, path, author, text }));
  const set = (name: 'path' | 'author' | 'text') => (value?: string) =>
    navigate({ search: (s) => ({ ...s, [name]: value }), replace: true });
  const flags = [path && ` --path ${path}`, author && ` --author '${author}'`].filter(Boolean).join('');
  return (
    <div style={{ display: 'grid', gap: 12, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <Group gap="xs">
        <RefPicker
          repo={repo}
          value={ref}
          choose={(to) => placeOf(repo, { tab: 'commits', ref: to, path, author, text })}
        />
        <FilterText aria-label="Message" placeholder="Message" value={text} set={set('text')} w={180} />
        <FilterText aria-label="Author" placeholder="Author" value={author} set={set('author')} w={160} />
        <FilterText aria-label="File or folder" placeholder="File or folder" value={path} set={set('path')} w={200} />
        <CopyCommand command={`roadbed repo log ${repo.namespace}/${repo.name} --ref ${ref}${flags}`} />
      </Group>
      <CommitList repo={repo} query={query} path={path} none="No commit is like that" />
    </div>
  );
}
