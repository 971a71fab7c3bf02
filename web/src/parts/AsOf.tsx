import { Alert, Button, Group, TextInput } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import type { ReactNode } from 'react';

/** A time of the address as a field has it, in the reader's own zone. */
function local(at?: string): string {
  const date = at ? new Date(at) : undefined;
  if (!date || Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Chooses a time; none is now. */
export function AsOf({
  at,
  set,
  label = 'As of',
}: {
  at?: string;
  set: (at: string | undefined) => void;
  label?: string;
}) {
  return (
    <TextInput
      type="datetime-local"
      w={236}
      leftSection={<IconHistory size={16} aria-hidden />}
      aria-label={label}
      title={`${label}: a time; empty for now`}
      value={local(at)}
      onChange={(e) => {
        const date = new Date(e.currentTarget.value);
        set(Number.isNaN(date.getTime()) ? undefined : date.toISOString());
      }}
    />
  );
}

/** Says that a page shows the past, what of it is not there, and leads back. */
export function AsOfBanner({
  at,
  set,
  children,
}: {
  at: string;
  set: (at: string | undefined) => void;
  children?: ReactNode;
}) {
  const date = new Date(at);
  return (
    <Alert color="yellow" variant="light" icon={<IconHistory size={18} aria-hidden />} p="xs">
      <Group justify="space-between" gap="sm">
        <span>
          As it was on{' '}
          <strong>
            {Number.isNaN(date.getTime()) ? at : date.toLocaleString(undefined, { timeZoneName: 'short' })}
          </strong>
          , as far as you may see it today. {children}
        </span>
        <Group gap="xs">
          <AsOf at={at} set={set} label="Another time" />
          <Button size="xs" variant="default" onClick={() => set(undefined)}>
            Back to now
          </Button>
        </Group>
      </Group>
    </Alert>
  );
}
