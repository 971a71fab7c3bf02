import { Button } from '@mantine/core';
import { useState } from 'react';
import type { Plan } from '../../api/types';
import { Section } from '../../parts/Page';
import { ChangeList } from './ChangeList';

/** What was changed outside of the stack since its state was written: folded, since the plan does nothing of it. */
export function Outside({ plan }: { plan: Plan }) {
  const [open, setOpen] = useState(false);
  const { outside, outsideMore = 0 } = plan;
  if (!outside || outside.length === 0) return null;
  const n = outside.length + outsideMore;
  return (
    <Section
      title="Changed outside of it"
      flush
      actions={
        <Button size="compact-sm" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Fold' : `Show ${n === 1 ? 'the resource' : `${n.toLocaleString('en')} resources`}`}
        </Button>
      }
    >
      <p style={{ margin: 0, padding: '10px 16px', color: 'var(--quiet)', fontSize: 13 }}>
        What differs from the state, done by somebody else. The plan begins from what is there now
        {open && outsideMore > 0 && `; ${outsideMore.toLocaleString('en')} more are not shown`}.
      </p>
      {open && <ChangeList changes={outside} />}
    </Section>
  );
}
