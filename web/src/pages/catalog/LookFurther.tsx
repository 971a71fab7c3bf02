import { Button } from '@mantine/core';
import { Empty } from '../../parts/Page';
import type { Looked } from './further';

/** Tells that a list is looked through further, or offers it. */
export function LookFurther({ empty, next, goOn, none }: Looked & { goOn: () => void; none: boolean }) {
  if (next === 'end' || (next === 'on' && !none)) return null;
  const button = (
    <Button variant="default" size="compact-sm" onClick={goOn}>
      Look further
    </Button>
  );
  if (!none) return <div style={{ padding: 12, textAlign: 'center' }}>{button}</div>;
  return (
    <div role="status">
      <Empty
        title={next === 'on' ? `Looking further, part ${empty + 1}…` : `Nothing like that in the first ${empty} parts`}
        action={next === 'ask' && button}
      >
        The past is looked through in parts of thousands of versions.
      </Empty>
    </div>
  );
}
