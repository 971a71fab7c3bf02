import { Button, Group, Modal, SegmentedControl, Stack, Text } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useState } from 'react';
import type { Entity } from '../../api/types';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { CopyText } from '../../parts/CopyText';
import { useCopy } from '../../parts/useCopy';
import { toYAML } from '../../words/yaml';

/** An entity as the API gives it, to read and to take along. */
export default function Inspect({ entity, asOf, close }: { entity: Entity; asOf?: string; close: () => void }) {
  const [as, setAs] = useState('yaml');
  const { copied, refused, copy } = useCopy();
  const text = as === 'yaml' ? toYAML(entity) : JSON.stringify(entity, null, 2);
  const { kind, namespace, name } = entity;
  return (
    <Modal opened onClose={close} size="xl" title={`Inspect ${entity.title || name}`}>
      <Stack>
        <CopyText label="Reference" text={entity.ref} />
        <Group justify="space-between">
          <SegmentedControl
            aria-label="Written as"
            value={as}
            onChange={setAs}
            data={[
              { value: 'yaml', label: 'YAML' },
              { value: 'json', label: 'JSON' },
            ]}
          />
          <Group gap="xs">
            <CopyCommand
              command={`roadbed get ${kind.toLowerCase()} ${namespace}/${name} -o ${as}${asOf ? ` --as-of ${asOf}` : ''}`}
            />
            <Button
              variant="default"
              leftSection={copied ? <IconCheck size={15} aria-hidden /> : <IconCopy size={15} aria-hidden />}
              onClick={() => void copy(text)}
            >
              {copied ? 'Copied' : 'Copy'}
            </Button>
          </Group>
        </Group>
        {refused && (
          <Text size="sm" role="status">
            The browser does not let this page copy; select the text.
          </Text>
        )}
        <Text size="sm" c="dimmed">
          As the API gives it: what was declared is its document, the rest the platform knows of it.
        </Text>
        <Block text={text} />
      </Stack>
    </Modal>
  );
}
