import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useRef, useState } from 'react';
import type { PlanChange } from '../../api/types';
import { Change, type Pick } from './Change';
import classes from './Change.module.css';

/** Beyond this many changes only those in sight are drawn, in a box that scrolls. */
const plain = 500;

export function ChangeList({ changes, pick }: { changes: PlanChange[]; pick?: Pick }) {
  if (changes.length > plain) return <Long changes={changes} pick={pick} />;
  return changes.map((change) => (
    <Change key={change.address} change={change} open={changes.length <= 3} pick={pick} />
  ));
}

function Long({ changes, pick }: { changes: PlanChange[]; pick?: Pick }) {
  const box = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const rows = useVirtualizer({
    count: changes.length,
    getScrollElement: () => box.current,
    estimateSize: () => 38,
    getItemKey: (i) => changes[i]?.address ?? i,
    overscan: 20,
  });
  const turn = (address: string, open: boolean) =>
    setOpened((before) => {
      const now = new Set(before);
      if (open) now.add(address);
      else now.delete(address);
      return now;
    });
  // The browser's own way to an end stops where rows are measured that come into sight.
  const toAnEnd = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || (e.key !== 'Home' && e.key !== 'End')) return;
    e.preventDefault();
    if (e.key === 'Home') rows.scrollToIndex(0);
    else rows.scrollToIndex(changes.length - 1, { align: 'end' });
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section ref={box} className={classes.long} aria-label="Changes" tabIndex={0} onKeyDown={toAnEnd}>
      <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {rows.getVirtualItems().map((row) => {
          const change = changes[row.index] as PlanChange;
          return (
            <div
              key={row.key}
              ref={rows.measureElement}
              data-index={row.index}
              className={classes.row}
              style={{ transform: `translateY(${row.start}px)` }}
            >
              <Change
                change={change}
                open={opened.has(change.address)}
                turned={(open) => turn(change.address, open)}
                pick={pick}
              />
            </div>
          );
        })}
      </div>
    </section>
  );
}
