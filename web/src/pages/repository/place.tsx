import { Anchor, type AnchorProps } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { RepositoryPath } from '../../api/code';
import type { Repository } from '../../api/types';

/** What the address of a repository's page says besides its name. */
export interface Place {
  tab?: string;
  /** Branch, tag or commit; the default branch when absent. */
  ref?: string;
  /** A folder ends in a slash. */
  path?: string;
  /** How a file is looked at: blame, history, edit, new, delete, upload. */
  look?: string;
  /** Lines that are pointed at, as L1-L2. */
  hash?: string;
  commit?: string;
  base?: string;
  head?: string;
  text?: string;
  author?: string;
}

/** The address of a place in a repository. */
export function placeOf(at: RepositoryPath, { hash, ...place }: Place): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) if (value) asked.set(name, value);
  const query = asked.size > 0 ? `?${asked}` : '';
  return `/repositories/${at.namespace}/${at.name}${query}${hash ? `#${hash}` : ''}`;
}

interface GoProps extends AnchorProps {
  at: RepositoryPath;
  to: Place;
  children: ReactNode;
  title?: string;
  'aria-label'?: string;
}

/** A link to a place in a repository. */
export function Go({ at, to: { hash, ...search }, children, ...rest }: GoProps) {
  return (
    <Anchor
      component={Link}
      to="/repositories/$namespace/$name"
      // biome-ignore lint/suspicious/noExplicitAny: Mantine's polymorphic props don't carry the router's types
      {...({ params: { namespace: at.namespace, name: at.name }, search, hash } as any)}
      size="sm"
      {...rest}
    >
      {children}
    </Anchor>
  );
}

/** Whether who looks at a repository may change what is in it. */
export const mayWrite = (repo: Repository) => repo.can?.includes('write') ?? false;
