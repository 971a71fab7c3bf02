import { useInfiniteQuery } from '@tanstack/react-query';
import { history } from '../../api/code';
import type { Repository } from '../../api/types';
import { CommitList } from './CommitList';

/** The commits of a file, whose earlier names are followed, or of a folder. */
export function History({ repo, head, path }: { repo: Repository; head: string; path: string }) {
  const isFolder = path === '' || path.endsWith('/');
  const query = useInfiniteQuery(
    history(repo, { ref: head, path: path.replace(/\/$/, ''), follow: !isFolder || undefined }),
  );
  return <CommitList repo={repo} query={query} path={path} />;
}
