import { Alert, Badge, Button } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { asProblem } from '../../api/problem';
import { entity as entityQuery } from '../../api/queries';
import { AsOfBanner } from '../../parts/AsOf';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Page } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { EntityActions } from './EntityActions';
import { EntityTabs } from './EntityTabs';
import { Gone } from './Gone';
import { missingOf } from './linked';
import { Refs } from './Related';
import { SignInLink } from './SignInLink';
import { StarButton } from './StarButton';
import { useGone } from './useGone';

const EditEntity = lazy(() => import('./EditEntity'));

const route = getRouteApi('/shell/catalog/$kind/$namespace/$name');

export function EntityPage() {
  const { kind, namespace, name } = route.useParams();
  const { asOf } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(entityQuery(kind, namespace, name, asOf));
  const gone = useGone({ kind, namespace, name }, asOf);
  const [editing, setEditing] = useState(false);
  if (query.isLoadingError && !asOf && asProblem(query.error).status === 404)
    return <Gone of={{ kind, namespace, name }} error={query.error} retry={() => query.refetch()} />;
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        {asOf && <AsOfBanner at={asOf} set={(at) => navigate({ search: (s) => ({ ...s, asOf: at }) })} />}
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const entity = query.data;
  if (!entity || gone === undefined) return <PageSkeleton />;
  const missing = missingOf(entity);
  return (
    <Page
      title={entity.title || entity.name}
      query={query}
      marks={
        <>
          {!asOf && <StarButton of={entity.ref} />}
          <Badge variant="default" tt="none" fw={500}>
            {entity.kind}
          </Badge>
          {entity.type && (
            <Badge variant="default" tt="none" fw={500}>
              {entity.type}
            </Badge>
          )}
        </>
      }
      about={
        <>
          <span>{entity.ref}</span>
          {entity.owner && (
            <span>
              owned by <RefLink to={entity.owner} missing={missing.has(entity.owner)} />
            </span>
          )}
          <span>space {entity.space}</span>
        </>
      }
      actions={
        <>
          <CopyCommand
            command={
              asOf
                ? `roadbed get ${kind} ${namespace}/${name} --as-of ${asOf}`
                : `roadbed describe ${kind} ${namespace}/${name}`
            }
          />
          {entity.kind === 'User' && !asOf && <SignInLink user={entity.ref} />}
          <EntityActions entity={entity} asOf={asOf} />
          {!asOf && (
            <Button
              variant="default"
              leftSection={<IconPencil size={15} aria-hidden />}
              onClick={() => setEditing(true)}
            >
              Edit
            </Button>
          )}
        </>
      }
    >
      {editing && (
        <Suspense fallback={null}>
          <EditEntity entity={entity} close={() => setEditing(false)} />
        </Suspense>
      )}
      {asOf && (
        <AsOfBanner at={asOf} set={(at) => navigate({ search: (s) => ({ ...s, asOf: at }) })}>
          {gone
            ? 'It was deleted since, so that its docs, scorecards and runs are not shown.'
            : 'Scorecards, runs and what is delivered are known of now alone.'}
        </AsOfBanner>
      )}
      {entity.error && (
        <Alert
          color="yellow"
          variant="light"
          title="Its source's newest version could not be taken in; this is the last good one"
        >
          {entity.error}
        </Alert>
      )}
      {entity.orphan && (
        <Alert color="yellow" variant="light" title="No file declares it any more">
          Its location keeps such entities. It goes when somebody deletes it, and belongs to whoever declares it again.
        </Alert>
      )}
      {missing.size > 0 && (
        <Alert color="yellow" variant="light" title="It names what is not in the catalog, or what you may not see">
          <Refs refs={[...missing]} missing={missing} kind />
        </Alert>
      )}
      <EntityTabs entity={entity} asOf={asOf} gone={gone} />
    </Page>
  );
}
