import { ActionIcon, CopyButton } from '@mantine/core';
import { IconCheck, IconTerminal2 } from '@tabler/icons-react';

/** Copies the command that does the same as the action beside it. */
export function CopyCommand({ command }: { command: string }) {
  return (
    <CopyButton value={command}>
      {({ copied, copy }) => {
        const label = copied ? 'Copied' : `Copy as CLI: ${command}`;
        return (
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} title={label} onClick={copy}>
            {copied ? <IconCheck size={17} aria-hidden /> : <IconTerminal2 size={17} aria-hidden />}
          </ActionIcon>
        );
      }}
    </CopyButton>
  );
}
