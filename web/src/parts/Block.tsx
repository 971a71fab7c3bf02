import { Code } from '@mantine/core';

/** A text of several lines as it is; what doesn't fit scrolls, by keyboard too. */
export function Block({ text }: { text: string }) {
  return (
    <Code block tabIndex={0}>
      {text}
    </Code>
  );
}
