import { Tabs, Text } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Entity } from '../../api/types';
import { Block } from '../../parts/Block';
import { Rows, Section } from '../../parts/Page';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { RunsOf } from '../../parts/RunsOf';
import { toYAML } from '../../words/yaml';
import Changes from '../ledger/Changes';
import { Overview } from './Overview';
import { Relations } from './Relations';
import { Versions } from './Versions';
import { hasDocs } from './written';

const DocsTab = lazy(() => import('../docs/DocsTab'));
const DefinitionTab = lazy(() => import('../docs/DefinitionTab'));

const Standings = lazy(() => import('../scorecards/Standings'));

const route = getRouteApi('/shell/catalog/$kind/$namespace/$name');

const names = {
  overview: 'Overview',
  definition: 'Definition',
  docs: 'Docs',
  relations: 'Relations',
  scorecards: 'Scorecards',
  runs: 'Runs',
  history: 'History',
  document: 'Document',
};
type Tab = keyof typeof names;

interface Props {
  entity: Entity;
  /** The time as of which it is shown. */
  asOf?: string;
  /** It was deleted since. */
  gone: boolean;
}

/** What there is to see of an entity; of the past only what is known of it. */
function offered({ entity, asOf, gone }: Props): Tab[] {
  const has: Partial<Record<Tab, boolean>> = {
    definition: entity.kind === 'API',
    docs: hasDocs(entity) && !gone,
    scorecards: !asOf,
    runs: !asOf,
  };
  return (Object.keys(names) as Tab[]).filter((tab) => has[tab] ?? true);
}

function RunsOfItsRepository({ name }: { name: string }) {
  return (
    <>
      <Text size="sm" c="dimmed" p="sm">
        Nothing has run on this itself. What ran from its repository, <RepositoryLink name={name} />:
      </Text>
      <RunsOf
        filter={{ repository: name }}
        label="Runs of its repository"
        none="Nothing has run from its repository either."
      />
    </>
  );
}

export function EntityTabs(props: Props) {
  const { entity, asOf } = props;
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  const past = Boolean(asOf);
  const tabs = offered(props);
  return (
    <Tabs
      value={tabs.find((t) => t === tab) ?? 'overview'}
      onChange={(value) => navigate({ search: (s) => ({ ...s, tab: value ?? undefined }), replace: true })}
      keepMounted={false}
    >
      <Tabs.List mb="md">
        {tabs.map((t) => (
          <Tabs.Tab key={t} value={t}>
            {names[t]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <Tabs.Panel value="overview">
        <Overview entity={entity} past={past} />
      </Tabs.Panel>
      <Tabs.Panel value="definition">
        <Suspense fallback={<Rows />}>
          <DefinitionTab entity={entity} past={past} />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="docs">
        <Suspense fallback={<Rows />}>
          <DocsTab entity={entity} past={past} />
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
            otherwise={entity.repository && <RunsOfItsRepository name={entity.repository} />}
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
  );
}
