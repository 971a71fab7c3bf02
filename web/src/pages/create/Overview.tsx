import { Button, Group, Stack, Text } from '@mantine/core';
import { type Form, usePreview } from '../../api/actions';
import type { TemplatePage } from '../../api/types';
import { Block } from '../../parts/Block';
import { Failure } from '../../parts/Failure';
import { Facts } from '../../parts/Page';
import { filled } from './form';

interface Props {
  namespace: string;
  name: string;
  steps: TemplatePage[];
  form: Form;
  back: () => void;
  start: () => void;
  busy: boolean;
}

/** What was filled in, and on demand the files that would come of it. */
export function Overview({ namespace, name, steps, form, back, start, busy }: Props) {
  const preview = usePreview(namespace, name);
  return (
    <Stack>
      <Facts items={filled(steps, form.values)} />
      <Failure error={preview.error} title="It can't be previewed like this" />
      {preview.data && (
        <div>
          <Text size="sm" c="dimmed" mb="xs">
            {preview.data.items.length} files would be made; nothing is made yet.
          </Text>
          {preview.data.items.map((file) => (
            <details key={file.path}>
              <summary style={{ cursor: 'pointer' }}>{file.path}</summary>
              <Block text={file.text} />
            </details>
          ))}
        </div>
      )}
      <Group justify="flex-end">
        <Button variant="subtle" loading={preview.isPending} onClick={() => preview.mutate(form)}>
          Preview the files
        </Button>
        <Button variant="default" onClick={back}>
          Back
        </Button>
        <Button onClick={start} loading={busy}>
          Create
        </Button>
      </Group>
    </Stack>
  );
}
