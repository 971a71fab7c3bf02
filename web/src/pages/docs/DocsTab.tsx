import { useQuery } from '@tanstack/react-query';
import { docs } from '../../api/docs';
import { Problem } from '../../api/problem';
import type { Entity } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Reading } from './Reading';

/** The docs of an entity on its page: the first page, from which the others are a step away. */
export default function DocsTab({ entity }: { entity: Entity }) {
  const of = { kind: entity.kind.toLowerCase(), namespace: entity.namespace, name: entity.name };
  const query = useQuery(docs(of));
  if (query.isLoadingError && query.error instanceof Problem && query.error.status === 404) {
    return (
      <Section>
        <Empty title="No docs">
          Put a README, a folder docs/ or mkdocs.yml beside the file that declares it, or say where its docs are with
          the annotation backstage.io/techdocs-ref: dir:. and a folder, or url: and the address of a repository.
        </Empty>
      </Section>
    );
  }
  if (query.isLoadingError) return <Failure error={query.error} retry={() => query.refetch()} />;
  if (!query.data) return <Rows />;
  return <Reading of={of} site={query.data} path="" />;
}
