import { ActionIcon, TextInput } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { useCopy } from './useCopy';

/** A text to take along, such as a link or a new token. Where the browser forbids to copy, the text is selected. */
export function CopyText({ label, text }: { label: string; text: string }) {
  const { copied, refused, copy } = useCopy();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (refused) field.current?.focus();
  }, [refused]);
  return (
    <TextInput
      ref={field}
      label={label}
      value={text}
      readOnly
      onFocus={(e) => e.currentTarget.select()}
      rightSection={
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={copied ? 'Copied' : `Copy: ${label}`}
          onClick={() => copy(text)}
        >
          {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
        </ActionIcon>
      }
    />
  );
}
