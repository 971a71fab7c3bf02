import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { parseRef, refPath, shortRef } from '../words/ref';

/** A link to the page of an entity, also as it was at a time, or of a run; what is neither is shown as it is. */
export function RefLink({ to, kind, asOf }: { to: string; kind?: boolean; asOf?: string }) {
  const path = refPath(to);
  const ref = parseRef(to);
  const label = kind && ref ? `${ref.kind} ${shortRef(to)}` : shortRef(to);
  if (!path) return <span title={to}>{label}</span>;
  return (
    <Anchor
      renderRoot={(props) => <Link to={path} search={asOf ? { asOf } : undefined} {...props} />}
      size="sm"
      title={to}
    >
      {label}
    </Anchor>
  );
}
