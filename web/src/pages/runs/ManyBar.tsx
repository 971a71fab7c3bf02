import { Button, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import classes from '../catalog/catalog.module.css';
import { type Deed, ManyDialog } from './ManyDialog';

interface Props<T> {
  label: string;
  chosen: number;
  deeds: Deed<T>[];
  clear: () => void;
  /** Said where there is nothing that can be done. */
  none: ReactNode;
}

/** What can be done with the rows that are chosen. */
export function ManyBar<T>({ label, chosen, deeds, clear, none }: Props<T>) {
  const [deed, setDeed] = useState<Deed<T>>();
  return (
    <section className={classes.bulk} aria-label={label}>
      <Text size="sm" fw={500} style={{ fontVariantNumeric: 'tabular-nums' }}>
        {chosen.toLocaleString('en')} selected
      </Text>
      {deeds.map((d) => (
        <Button
          key={d.label}
          size="xs"
          variant="default"
          color={d.destructive ? 'red' : undefined}
          onClick={() => setDeed(d)}
        >
          {d.items.length === chosen ? d.label : `${d.label} (${d.items.length.toLocaleString('en')})`}
        </Button>
      ))}
      {deeds.length === 0 && (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      )}
      <Button size="xs" variant="subtle" color="gray" onClick={clear}>
        Select none
      </Button>
      {deed && (
        <ManyDialog
          deed={deed}
          close={(did) => {
            setDeed(undefined);
            if (did) clear();
          }}
        />
      )}
    </section>
  );
}
