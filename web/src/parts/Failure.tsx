import { Alert, Button, Code, Group, List, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { asProblem } from '../api/problem';

/** What the server said against something, with every place it named, shown where the action was. */
export function Failure({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  if (!error) return null;
  const problem = asProblem(error);
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle aria-hidden />}
      title={title ?? problem.title}
      role="alert"
    >
      {problem.message !== (title ?? problem.title) && (
        <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {problem.message}
        </Text>
      )}
      {problem.places.length > 0 && (
        <List size="sm" mt="xs" spacing={4}>
          {problem.places.map((place) => (
            <List.Item key={`${place.location} ${place.message}`}>
              {place.location && <Code>{place.location}</Code>} {place.message}
            </List.Item>
          ))}
        </List>
      )}
      {retry && (
        <Group mt="xs">
          <Button size="compact-sm" variant="default" onClick={retry}>
            Try again
          </Button>
        </Group>
      )}
    </Alert>
  );
}
