import { Badge } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { docs } from '../../api/docs';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Empty, Page } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { shortCommit } from '../../words/ref';
import { Problems } from './Problems';
import { docsPath } from './place';
import { Reading } from './Reading';

const route = getRouteApi('/shell/docs/$namespace/$kind/$name/$');

/** The docs of an entity, as a book. */
export function Reader() {
  const { namespace, kind, name, _splat: path = '' } = route.useParams();
  const { ref: rev, look } = route.useSearch();
  const navigate = useNavigate();
  const of = { kind, namespace, name, rev };
  const entity = `${kind}:${namespace}/${name}`;
  const query = useQuery(docs(of));
  if (query.isLoadingError) {
    return (
      <Page title="Docs" about={<RefLink to={entity} />}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const site = query.data;
  if (!site) return <PageSkeleton />;
  return (
    <Page
      title={site.title}
      query={query}
      marks={
        rev && (
          <Badge variant="light" color="yellow" tt="none" fw={500}>
            as of {shortCommit(rev)}
          </Badge>
        )
      }
      about={
        <>
          <RefLink to={entity} />
          <span>
            from <RepositoryLink name={site.repository} />
          </span>
          {site.description && <span>{site.description}</span>}
        </>
      }
      actions={<CopyCommand command={`roadbed docs check ${kind} ${namespace}/${name}`} />}
    >
      {look === 'check' ? (
        <Problems of={of} site={site} back={() => navigate({ to: docsPath(entity, '', rev) })} />
      ) : site.pages.length === 0 ? (
        <Empty title="No pages" />
      ) : (
        <Reading of={of} site={site} path={path.replace(/\/$/, '')} />
      )}
    </Page>
  );
}
