import { Alert, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { applicationDiff } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Diff } from '../../parts/Diff';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Stale } from '../../parts/Stale';

/** What a sync would change. */
export function Differences({ namespace, name }: { namespace: string; name: string }) {
  const query = useQuery(applicationDiff(namespace, name));
  if (query.isPending) {
    return (
      <Section>
        <Rows />
      </Section>
    );
  }
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  const changes = query.data.items.filter((c) => c.action !== 'unchanged' || (c.warnings ?? []).length > 0);
  return (
    <Section
      title="What a sync would change"
      actions={<CopyCommand command={`roadbed app diff ${namespace}/${name}`} />}
    >
      <Stale query={query} />
      {changes.length === 0 && <Empty title="Nothing differs">What runs is what the repository says.</Empty>}
      {changes.map((change) => (
        <div key={change.key} style={{ marginBottom: 20 }}>
          <Group gap="xs" mb={6}>
            <Text fw={600} size="sm">
              {change.key}
            </Text>
            <Text size="sm" c="dimmed">
              {change.action}
            </Text>
          </Group>
          {(change.warnings ?? []).map((w) => (
            <Alert key={w} color="yellow" variant="light" p="xs" mb={6}>
              {w}
            </Alert>
          ))}
          {change.diff && <Diff text={change.diff} label={`Difference of ${change.key}`} />}
        </div>
      ))}
    </Section>
  );
}
