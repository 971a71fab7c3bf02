import { Alert, List } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { troubles } from '../../api/queries';

/** What of the repository's declared files could not be taken in, and where it is wrong. */
export function Troubles({ namespace, name }: { namespace: string; name: string }) {
  const query = useQuery(troubles(namespace, name));
  return query.data?.map((l) => (
    <Alert key={l.id} color="yellow" variant="light" title={l.error}>
      {l.problems.length > 0 && (
        <List size="sm">
          {l.problems.map((p, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they have no id, and stay in their order
            <List.Item key={i}>
              {p.file && (
                <code>
                  {p.file}
                  {p.line && `:${p.line}`}
                </code>
              )}{' '}
              {p.field && `${p.field}: `}
              {p.message}
              {p.hint && ` (${p.hint})`}
            </List.Item>
          ))}
        </List>
      )}
    </Alert>
  ));
}
