import { Alert, Anchor, Button, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { module as moduleQuery, moduleVersion, moduleVersions, useModuleVersion } from '../../api/registry';
import type { ModuleVersionDetail, TerraformModule } from '../../api/types';
import { CommitLink } from '../../parts/CommitLink';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { ItsDocument } from '../../parts/ItsDocument';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Facts, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { bytes } from '../../words/time';
import { Declared } from './Declared';
import { Standing } from './Standing';
import { Tests } from './Tests';
import { Usage } from './Usage';
import { usage } from './usage';
import { YankDialog } from './YankDialog';

const route = getRouteApi('/shell/modules/$namespace/$name');

/** A module: how to use it, how its versions stand, and what one of them declares. */
export function ModulePage() {
  const { namespace, name } = route.useParams();
  const { version: chosen } = route.useSearch();
  const query = useQuery(moduleQuery(namespace, name));
  const m = query.data;
  const shown = chosen || m?.latest || m?.newest || '';
  const detail = useQuery(moduleVersion(namespace, name, shown));
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="module"
        list="/modules"
        all="All modules"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  if (!m) return <PageSkeleton />;
  return (
    <Page
      title={m.title || m.name}
      query={query}
      marks={m.latest ? <State state="succeeded" said={`latest ${m.latest}`} /> : undefined}
      about={
        <>
          <span>{m.description}</span>
          {m.owner && (
            <span>
              owned by <RefLink to={m.owner} />
            </span>
          )}
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed module show ${namespace}/${name}`} />
          <ItsDocument of={m.ref} />
        </>
      }
    >
      {m.error && (
        <Alert color="red" title="Its repository can't be read">
          {m.error}
        </Alert>
      )}
      {shown === '' && !m.error && (
        <Section>
          <Empty title="No version yet">
            Push a tag such as {m.tagPrefix}v1.0.0 to {m.repository}, or set module_version in its .roadbed/config.yml.
          </Empty>
        </Section>
      )}
      {detail.isLoadingError && <Failure error={detail.error} retry={() => detail.refetch()} />}
      {shown !== '' && detail.isPending && <Rows />}
      {detail.data && <Version m={m} v={detail.data} />}
      <Versions m={m} shown={shown} />
      {detail.data && <Declared content={detail.data.content} submodules={detail.data.submodules} />}
    </Page>
  );
}

function Version({ m, v }: { m: TerraformModule; v: ModuleVersionDetail }) {
  const [yanking, setYanking] = useState(false);
  const act = useModuleVersion(m.namespace, m.name, v.version);
  const may = (what: string) => (m.can ?? []).includes(what);
  return (
    <>
      {v.yanked && (
        <Alert color="orange" title={`Version ${v.version} is yanked`}>
          {v.yanked.reason} Configurations are not offered it any more.
        </Alert>
      )}
      {v.state === 'failed' && (
        <Alert color="red" title={`Version ${v.version} failed`}>
          {v.message} Configurations are not offered it.
        </Alert>
      )}
      {v.moved && (
        <Alert color="yellow" title={`The tag ${v.tag} leads elsewhere now`}>
          The version stays what it was when the tag came, commit {v.commit.slice(0, 8)}. To release something else,
          push a tag of a new version.
        </Alert>
      )}
      <Section
        title={`Version ${v.version}`}
        actions={
          <>
            {may('test') && v.state === 'failed' && v.digest && (
              <Button size="xs" variant="default" loading={act.isPending} onClick={() => act.mutate({ verb: 'test' })}>
                Test again
              </Button>
            )}
            {may('yank') && v.yanked && (
              <Button
                size="xs"
                variant="default"
                loading={act.isPending}
                onClick={() => act.mutate({ verb: 'restore' })}
              >
                Restore
              </Button>
            )}
            {may('yank') && !v.yanked && (
              <Button size="xs" variant="default" onClick={() => setYanking(true)}>
                Yank
              </Button>
            )}
          </>
        }
      >
        {!yanking && <Failure error={act.error} />}
        {v.offered && <Usage label="How to use it" text={usage(m, v)} />}
        <Facts
          items={[
            ['State', <Standing key="state" state={v.state} yanked={Boolean(v.yanked)} />],
            ['Tag', v.tag],
            ['Commit', <CommitLink key="commit" repository={m.repository} commit={v.commit} />],
            ['Folder', m.path],
            ['Released', <Moment key="released" at={v.created} />],
            ['By', v.by.name],
            ['Archive', v.digest ? `${v.files} ${v.files === 1 ? 'file' : 'files'}, ${bytes(v.size)}` : ''],
            ['Shared with', m.shareWith.join(', ')],
          ]}
        />
        {v.warnings.map((text) => (
          <Text key={text} size="sm" c="dimmed">
            {text}
          </Text>
        ))}
      </Section>
      <Tests tests={v.tests} />
      {yanking && (
        <YankDialog
          what={`${m.name} ${v.version}`}
          command={`roadbed module yank ${m.namespace}/${m.name} ${v.version}`}
          busy={act.isPending}
          error={act.error}
          close={() => setYanking(false)}
          yank={(reason) => act.mutate({ verb: 'yank', reason }, { onSuccess: () => setYanking(false) })}
        />
      )}
    </>
  );
}

function Versions({ m, shown }: { m: TerraformModule; shown: string }) {
  const query = useInfiniteQuery(moduleVersions(m.namespace, m.name));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.isSuccess && items.length === 0) return null;
  return (
    <Section title="Versions" flush>
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows count={3} />}
      {items.length > 0 && (
        <Table
          label="Versions"
          rows={items}
          id={(v) => v.version}
          columns={[
            {
              name: 'Version',
              cell: (v) => (
                <Anchor
                  size="sm"
                  fw={v.version === shown ? 600 : undefined}
                  aria-current={v.version === shown ? 'true' : undefined}
                  renderRoot={(props) => (
                    <Link
                      to="/modules/$namespace/$name"
                      params={{ namespace: m.namespace, name: m.name }}
                      search={{ version: v.version }}
                      {...props}
                    />
                  )}
                >
                  {v.version}
                </Anchor>
              ),
            },
            {
              name: 'State',
              width: 150,
              cell: (v) => <Standing state={v.state} yanked={Boolean(v.yanked)} />,
            },
            {
              name: 'Note',
              wide: true,
              cell: (v) => v.yanked?.reason || v.message || (v.moved ? 'its tag has moved' : ''),
            },
            { name: 'Released', right: true, width: 130, cell: (v) => <Moment at={v.created} /> },
          ]}
        />
      )}
      <More query={query} />
    </Section>
  );
}
