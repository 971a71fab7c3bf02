import { Alert, Code, List } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { findings } from './check';

/** What is wrong with a file that the platform reads, told while it is written. */
export function Findings({ path, text }: { path: string; text: string }) {
  const [settled] = useDebouncedValue(text, 600);
  const found = useQuery(findings(path, settled)).data ?? [];
  if (found.length === 0) return null;
  const bad = found.some((f) => f.bad);
  return (
    <Alert
      color={bad ? 'red' : 'yellow'}
      variant="light"
      title={bad ? 'The platform could not use it as it is' : 'It can be used, but'}
      role="status"
    >
      <List size="sm">
        {found.slice(0, 20).map((f) => (
          <List.Item key={`${f.place} ${f.message}`}>
            {f.place && <Code>{f.place}</Code>} {f.message}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
