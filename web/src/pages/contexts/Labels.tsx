import { Badge, Group } from '@mantine/core';

export function Labels({ labels }: { labels: string[] }) {
  return (
    <Group gap={6}>
      {labels.map((label) => (
        <Badge
          key={label}
          variant="light"
          color={label.startsWith('autoattach:') ? 'indigo' : 'gray'}
          tt="none"
          maw={260}
          title={label}
        >
          {label}
        </Badge>
      ))}
    </Group>
  );
}
