import { Badge, Button, Group, SimpleGrid, Skeleton, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { entities } from '../../api/queries';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Section } from '../../parts/Page';
import { RunsOf } from '../../parts/RunsOf';
import { shortRef } from '../../words/ref';
import classes from './Create.module.css';

export function Create() {
  const query = useInfiniteQuery(entities({ kind: 'template' }));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Create"
      query={query}
      about="Golden paths: a form, and everything that a new thing needs is made for you."
      actions={
        <Button component={Link} to="/declare" variant="default">
          Declare documents
        </Button>
      }
    >
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isSuccess && items.length === 0 && (
        <Section>
          <Empty title="No golden path yet">
            Declare a Template (scaffolder.backstage.io/v1beta3) and bring it in with “roadbed apply -f template.yaml”.
          </Empty>
        </Section>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} spacing="md">
        {query.isPending && [1, 2, 3].map((n) => <Skeleton key={n} height={150} radius={8} />)}
        {items.map((template) => (
          <article key={template.ref} className={classes.card}>
            <h2>{template.title || template.name}</h2>
            <Text size="sm" c="dimmed" style={{ flex: 1 }}>
              {template.description}
            </Text>
            <Group gap={4}>
              {(template.tags ?? []).map((tag) => (
                <Badge key={tag} variant="light" color="gray" tt="none" fw={500}>
                  {tag}
                </Badge>
              ))}
            </Group>
            <Group justify="space-between">
              <Text size="xs" c="dimmed">
                {template.owner && `by ${shortRef(template.owner)}`}
              </Text>
              <Button
                component={Link}
                to={`/create/${template.namespace}/${template.name}`}
                aria-label={`Use ${template.title || template.name}`}
              >
                Use
              </Button>
            </Group>
          </article>
        ))}
      </SimpleGrid>
      <More query={query} />
      <Section title="Made lately" flush>
        <RunsOf
          filter={{ kind: 'scaffold' }}
          label="Runs of golden paths"
          none="Nothing was made from a golden path yet."
          limit={10}
        />
      </Section>
    </Page>
  );
}
