import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { parseRef, refPath, shortRef } from '../words/ref';

/** A link to the page of an entity or a run; what is neither is shown as it is. */
export function RefLink({ to, kind }: { to: string; kind?: boolean }) {
  const path = refPath(to);
  const ref = parseRef(to);
  const label = kind && ref ? `${ref.kind} ${shortRef(to)}` : shortRef(to);
  if (!path) return <span title={to}>{label}</span>;
  return (
    <Anchor component={Link} to={path} size="sm" title={to}>
      {label}
    </Anchor>
  );
}
