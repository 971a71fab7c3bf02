import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { docs } from '../../api/docs';
import { Problem } from '../../api/problem';
import type { Entity } from '../../api/types';
import { CommitLink } from '../../parts/CommitLink';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { docsBeside } from '../entity/written';
import { docsPath } from './place';
import { Reading } from './Reading';

interface Props {
  entity: Entity;
  /** It is a version of the past. */
  past: boolean;
}

/** The docs of an entity on its page: the first page, from which the others are a step away. */
export default function DocsTab({ entity, past }: Props) {
  if (past && !docsBeside(entity))
    return (
      <Section>
        <Empty title="How its docs were is not known" action={<Present entity={entity} />}>
          They are not in the repository of the file that declares it, whose commit of then is the only one that is
          known.
        </Empty>
      </Section>
    );
  return <First entity={entity} past={past} />;
}

function Present({ entity }: { entity: Entity }) {
  return <Link to={docsPath(entity.ref)}>Its docs as they are now</Link>;
}

function First({ entity, past }: Props) {
  const rev = past ? entity.commit : undefined;
  const of = { kind: entity.kind.toLowerCase(), namespace: entity.namespace, name: entity.name, rev };
  const query = useQuery(docs(of));
  if (query.isLoadingError && query.error instanceof Problem && query.error.status === 404) {
    return (
      <Section>
        <Empty title={rev ? 'No docs at that commit' : 'No docs'}>
          Put a README, a folder docs/ or mkdocs.yml beside the file that declares it, or say where its docs are with
          the annotation backstage.io/techdocs-ref: dir:. and a folder, or url: and the address of a repository.
        </Empty>
      </Section>
    );
  }
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!query.data) return <Rows />;
  return (
    <Stack gap="sm">
      {rev && (
        <Text size="sm" c="dimmed">
          <CommitLink repository={query.data.repository} commit={rev} /> brought this version of the entity, and has
          these docs. <Present entity={entity} />
        </Text>
      )}
      <Reading of={of} site={query.data} path={query.data.start ?? ''} />
    </Stack>
  );
}
