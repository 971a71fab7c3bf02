import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconTerminal2 } from '@tabler/icons-react';

/** Copies the command that does the same as the action beside it. */
export function CopyCommand({ command }: { command: string }) {
  return (
    <CopyButton value={command}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : `Copy as CLI: ${command}`} multiline maw={420}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Copy as CLI: ${command}`} onClick={copy}>
            {copied ? <IconCheck size={17} aria-hidden /> : <IconTerminal2 size={17} aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}
