import { List, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** How many are shown. */
export const shown = 20;

/** Things and what there is to say of each, the first of them. */
export function Names({ items }: { items: { key: string; text: ReactNode }[] }) {
  if (items.length === 0) return null;
  return (
    <div>
      <List size="sm" spacing={4} style={{ overflowWrap: 'anywhere' }}>
        {items.slice(0, shown).map((item) => (
          <List.Item key={item.key}>{item.text}</List.Item>
        ))}
      </List>
      {items.length > shown && (
        <Text size="sm" c="dimmed">
          and {(items.length - shown).toLocaleString('en')} more
        </Text>
      )}
    </div>
  );
}

/** How many a command names; more are too many for a line. */
export const commanded = 200;

/** "1 file", "2 files". */
export const counted = (n: number, one: string, many = `${one}s`) =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
