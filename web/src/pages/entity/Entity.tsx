import { Alert, Badge, Button, Tabs } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { asProblem } from '../../api/problem';
import { entity as entityQuery } from '../../api/queries';
import { AsOfBanner } from '../../parts/AsOf';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RunsOf } from '../../parts/RunsOf';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { toYAML } from '../../words/yaml';
import Changes from '../ledger/Changes';
import { Gone } from './Gone';
import { Overview } from './Overview';
import { Relations } from './Relations';
import { SignInLink } from './SignInLink';
import { Versions } from './Versions';
import { hasDocs } from './written';

const DocsTab = lazy(() => import('../docs/DocsTab'));
const DefinitionTab = lazy(() => import('../docs/DefinitionTab'));

const Standings = lazy(() => import('../scorecards/Standings'));

const EditEntity = lazy(() => import('./EditEntity'));

const route = getRouteApi('/shell/catalog/$kind/$namespace/$name');

export function EntityPage() {
  const { kind, namespace, name } = route.useParams();
  const { tab = 'overview', asOf } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(entityQuery(kind, namespace, name, asOf));
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
  if (!entity) return <PageSkeleton />;
  return (
    <Page
      title={entity.title || entity.name}
      query={query}
      marks={
        <>
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
              owned by <RefLink to={entity.owner} />
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
          {entity.kind === 'User' && <SignInLink user={entity.ref} />}
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
      {asOf && <AsOfBanner at={asOf} set={(at) => navigate({ search: (s) => ({ ...s, asOf: at }) })} />}
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
      <Tabs
        value={tab}
        onChange={(value) => navigate({ search: (s) => ({ ...s, tab: value ?? undefined }), replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          {entity.kind === 'API' && <Tabs.Tab value="definition">Definition</Tabs.Tab>}
          {hasDocs(entity) && <Tabs.Tab value="docs">Docs</Tabs.Tab>}
          <Tabs.Tab value="relations">Relations</Tabs.Tab>
          <Tabs.Tab value="scorecards">Scorecards</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
          <Tabs.Tab value="document">Document</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview entity={entity} />
        </Tabs.Panel>
        <Tabs.Panel value="definition">
          <Suspense fallback={<Rows />}>
            <DefinitionTab entity={entity} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="docs">
          <Suspense fallback={<Rows />}>
            <DocsTab entity={entity} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="relations">
          <Relations entity={entity} asOf={asOf} />
        </Tabs.Panel>
        <Tabs.Panel value="scorecards">
          <Suspense fallback={<Rows />}>
            <Standings entity={entity} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Section flush>
            <RunsOf
              filter={{ subject: entity.ref }}
              label={`Runs of ${entity.name}`}
              none="Nothing has run on this yet."
            />
          </Section>
        </Tabs.Panel>
        <Tabs.Panel value="history">
          <div style={{ display: 'grid', gap: 24 }}>
            <Versions of={entity.ref} />
            <Section title="Ledger" flush>
              <Changes filter={{ ref: entity.ref }} />
            </Section>
          </div>
        </Tabs.Panel>
        <Tabs.Panel value="document">
          <Section>
            <Block text={toYAML(entity.document)} />
          </Section>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
