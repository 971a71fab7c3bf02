import { Link } from '@tanstack/react-router';
import { shortCommit } from '../words/ref';

/** A commit of a hosted repository, NAMESPACE/NAME. */
export function CommitLink({ repository, commit }: { repository: string; commit: string }) {
  const [namespace = '', name = ''] = repository.split('/');
  return (
    <Link to="/repositories/$namespace/$name" params={{ namespace, name }} search={{ commit }}>
      Commit {shortCommit(commit)} of {repository}
    </Link>
  );
}
