import { ActionIcon, Popover, TextInput } from '@mantine/core';
import { IconCheck, IconTerminal2 } from '@tabler/icons-react';
import { useCopy } from './useCopy';

/** Copies the command that does the same as the action beside it; where the browser forbids that, shows it selected. */
export function CopyCommand({ command }: { command: string }) {
  const { copied, refused, copy, reset } = useCopy();
  const label = copied ? 'Copied' : `Copy as CLI: ${command}`;
  return (
    <Popover opened={refused} onChange={reset} width={380} position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={label}
          title={label}
          onClick={() => (refused ? reset() : void copy(command))}
        >
          {copied ? <IconCheck size={17} aria-hidden /> : <IconTerminal2 size={17} aria-hidden />}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <TextInput
          label="The command that does the same"
          value={command}
          readOnly
          data-autofocus
          onFocus={(e) => e.currentTarget.select()}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
