import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { parseRef } from '../words/ref';

/** Leads from the page of a thing to its document, with its relations and versions. */
export function ItsDocument({ of, small }: { of: string; small?: boolean }) {
  const ref = parseRef(of);
  if (!ref) return null;
  return (
    <Button
      variant="default"
      size={small ? 'compact-sm' : 'sm'}
      renderRoot={(props) => <Link to="/catalog/$kind/$namespace/$name" params={{ ...ref }} {...props} />}
    >
      Its document
    </Button>
  );
}
