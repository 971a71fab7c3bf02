import { ActionIcon, Group, Text } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { Block } from '../../parts/Block';
import { useCopy } from '../../parts/useCopy';

/** A piece of configuration to take along. */
export function Usage({ label, text }: { label: string; text: string }) {
  const { copied, refused, copy } = useCopy();
  return (
    <div style={{ marginBottom: 16 }}>
      <Group justify="space-between" mb={4}>
        <Text size="sm" fw={600}>
          {label}
        </Text>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={copied ? 'Copied' : `Copy: ${label}`}
          onClick={() => void copy(text)}
        >
          {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
        </ActionIcon>
      </Group>
      <Block text={text} />
      {refused && (
        <Text size="sm" c="dimmed" role="status">
          The browser does not let it be copied; select the text and copy it.
        </Text>
      )}
    </div>
  );
}
