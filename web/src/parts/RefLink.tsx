import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { parseRef, refPath, shortRef } from '../words/ref';

interface Props {
  to: string;
  kind?: boolean;
  asOf?: string;
  /** Nobody can tell the reader of it: it is not there, or not for them to see. Its page may still know what it was. */
  missing?: boolean;
}

/** A link to the page of an entity, also as it was at a time, or of a run; what is neither is shown as it is. */
export function RefLink({ to, kind, asOf, missing }: Props) {
  const path = refPath(to);
  const ref = parseRef(to);
  const label = kind && ref ? `${ref.kind} ${shortRef(to)}` : shortRef(to);
  if (!path) return <span title={to}>{label}</span>;
  return (
    <Anchor
      renderRoot={(props) => <Link to={path} search={asOf ? { asOf } : undefined} {...props} />}
      size="sm"
      title={missing ? `${to} is not in the catalog, or you may not see it` : to}
      {...(missing ? { c: 'dimmed', td: 'underline dotted' } : {})}
    >
      {label}
    </Anchor>
  );
}
