import { Group } from '@mantine/core';
import type { RepositoryPath } from '../../api/code';
import { Go } from './place';

/** The folders above a path, each as a link. */
export function Trail({ repo, at, path }: { repo: RepositoryPath; at?: string; path: string }) {
  const parts = path.split('/').filter(Boolean);
  return (
    <Group gap={6} role="navigation" aria-label="Folders above" style={{ overflowWrap: 'anywhere' }}>
      <Go at={repo} to={{ ref: at }}>
        {repo.name}
      </Go>
      {parts.map((part, i) => {
        const to = `${parts.slice(0, i + 1).join('/')}/`;
        return (
          <span key={to}>
            {'/ '}
            {i < parts.length - 1 ? (
              <Go at={repo} to={{ ref: at, path: to }}>
                {part}
              </Go>
            ) : (
              <b>{part}</b>
            )}
          </span>
        );
      })}
    </Group>
  );
}
