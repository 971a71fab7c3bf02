import { useInfiniteQuery } from '@tanstack/react-query';
import { commits } from '../../api/queries';
import type { Repository } from '../../api/types';
import { CommitTable } from '../../parts/CommitTable';

/** The commits of the default branch. */
export function Commits({ repo, head }: { repo: Repository; head: string }) {
  return <CommitTable query={useInfiniteQuery(commits(repo.namespace, repo.name, head))} />;
}
