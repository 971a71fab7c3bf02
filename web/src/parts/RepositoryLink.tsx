import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { repositoryPath } from '../words/ref';

/** A link to the page of a repository that is hosted here; any other name is shown as it is. */
export function RepositoryLink({ name }: { name: string }) {
  const path = repositoryPath(name);
  if (!path) return <span>{name}</span>;
  return (
    <Anchor component={Link} to={path} size="sm">
      {name}
    </Anchor>
  );
}
