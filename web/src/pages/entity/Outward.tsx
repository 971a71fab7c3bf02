import { Anchor } from '@mantine/core';
import type { ReactNode } from 'react';
import { target } from './written';

/** What somebody wrote: a link where it leads to the web or to mail, and else its text. */
export function Outward({ to, children = to }: { to: string; children?: ReactNode }) {
  const address = target(to);
  if (!address) return <span title={children === to ? undefined : to}>{children}</span>;
  return (
    <Anchor href={address} target="_blank" rel="noopener noreferrer" size="sm" title={address}>
      {children}
    </Anchor>
  );
}
