import { Alert, Anchor } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { entityHistory } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Page } from '../../parts/Page';
import { PageSkeleton } from '../../shell/PageSkeleton';
import type { Ref } from '../../words/ref';
import { Versions } from './Versions';

/** The page of an entity that is not there: of one that was deleted by whom and when, and its versions. */
export function Gone({ of, error, retry }: { of: Ref; error: unknown; retry: () => void }) {
  const { kind, namespace, name } = of;
  const query = useInfiniteQuery(entityHistory(kind, namespace, name));
  if (query.isPending) return <PageSkeleton />;
  const versions = query.data?.pages.flatMap((p) => p.items) ?? [];
  const [last] = versions;
  if (last?.action !== 'deleted')
    return (
      <Page title={name}>
        <Failure error={error} retry={retry} />
      </Page>
    );
  const before = versions.find((v) => v.action !== 'deleted');
  return (
    <Page
      title={name}
      about={
        <span>
          {kind}:{namespace}/{name}
        </span>
      }
      actions={<CopyCommand command={`roadbed history ${kind} ${namespace}/${name}`} />}
    >
      <Alert color="yellow" variant="light" icon={<IconTrash aria-hidden />} title="It is not in the catalog any more">
        Deleted by {last.author || last.actor.name}, <Moment at={last.time} />.{' '}
        {before && (
          <Anchor
            size="sm"
            renderRoot={(props) => (
              <Link
                to="/catalog/$kind/$namespace/$name"
                params={{ kind, namespace, name }}
                search={{ asOf: before.time }}
                {...props}
              />
            )}
          >
            See it as it was last, version {before.version}
          </Anchor>
        )}
      </Alert>
      <Versions of={`${kind}:${namespace}/${name}`} />
    </Page>
  );
}
