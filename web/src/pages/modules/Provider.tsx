import { Button, Code } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { provider as providerQuery, providerVersions, useProviderVersion } from '../../api/registry';
import type { ProviderVersion, TerraformProvider } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { ItsDocument } from '../../parts/ItsDocument';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { Unread } from '../../parts/Unread';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Usage } from './Usage';
import { providerUsage } from './usage';
import { YankDialog } from './YankDialog';

const route = getRouteApi('/shell/providers/$namespace/$name');

/** A provider: how to use it, its versions, and the keys that sign them. */
export function ProviderPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(providerQuery(namespace, name));
  const versions = useInfiniteQuery(providerVersions(namespace, name));
  const items = versions.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.isLoadingError) {
    return (
      <Unread
        name={name}
        what="provider"
        list="/providers"
        all="All providers"
        error={query.error}
        retry={() => query.refetch()}
      />
    );
  }
  const p = query.data;
  if (!p) return <PageSkeleton />;
  const may = (p.can ?? []).includes('yank');
  const latest = items.find((v) => v.offered);
  return (
    <Page
      title={p.title || p.name}
      query={query}
      about={
        <>
          <span>{p.description}</span>
          {p.owner && (
            <span>
              owned by <RefLink to={p.owner} />
            </span>
          )}
        </>
      }
      actions={
        <>
          <CopyCommand command={`roadbed provider show ${namespace}/${name}`} />
          <ItsDocument of={p.ref} />
        </>
      }
    >
      {latest && (
        <Section>
          <Usage label="How to use it" text={providerUsage(p.type, p.address, latest.version)} />
        </Section>
      )}
      <Section title="Versions" flush={items.length > 0}>
        {versions.isLoadingError && <Failure error={versions.error} retry={() => versions.refetch()} />}
        {versions.isPending && <Rows count={3} />}
        {versions.isSuccess && items.length === 0 && (
          <Empty title="No version yet">
            Build the archives, sign their sums with a key of this provider, and run roadbed provider publish{' '}
            {namespace}/{name} with their folder.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Versions"
            rows={items}
            id={(v) => v.version}
            columns={[
              { name: 'Version', cell: (v) => v.version },
              { name: 'State', width: 190, cell: (v) => <Offer v={v} /> },
              { name: 'Platforms', wide: true, cell: (v) => v.platforms.map((x) => `${x.os}/${x.arch}`).join(', ') },
              { name: 'Protocols', wide: true, width: 120, cell: (v) => v.protocols.join(', ') },
              { name: 'Note', wide: true, cell: (v) => v.yanked?.reason },
              { name: 'Published', wide: true, right: true, width: 130, cell: (v) => <Moment at={v.created} /> },
              ...(may
                ? [{ name: 'Do', right: true, width: 110, cell: (v: ProviderVersion) => <Yank p={p} v={v} /> }]
                : []),
            ]}
          />
        )}
        <More query={versions} />
      </Section>
      <Section title="Signing keys" flush>
        <Table
          label="Signing keys"
          rows={p.keys}
          id={(k) => k.fingerprint}
          columns={[
            { name: 'Key', width: 190, cell: (k) => <Code>{k.id}</Code> },
            { name: 'Identity', cell: (k) => k.identity },
            { name: 'Fingerprint', wide: true, cell: (k) => <Code>{k.fingerprint}</Code> },
          ]}
        />
      </Section>
    </Page>
  );
}

/** Takes a version back, or gives it again. */
function Yank({ p, v }: { p: TerraformProvider; v: ProviderVersion }) {
  const [asking, setAsking] = useState(false);
  const act = useProviderVersion(p.namespace, p.name, v.version);
  if (v.yanked) {
    return (
      <Button
        size="compact-sm"
        variant="default"
        loading={act.isPending}
        aria-label={`Restore ${v.version}`}
        onClick={() => act.mutate({ verb: 'restore' })}
      >
        Restore
      </Button>
    );
  }
  return (
    <>
      <Button size="compact-sm" variant="default" aria-label={`Yank ${v.version}`} onClick={() => setAsking(true)}>
        Yank
      </Button>
      {asking && (
        <YankDialog
          what={`${p.name} ${v.version}`}
          command={`roadbed provider yank ${p.namespace}/${p.name} ${v.version}`}
          busy={act.isPending}
          error={act.error}
          close={() => setAsking(false)}
          yank={(reason) => act.mutate({ verb: 'yank', reason }, { onSuccess: () => setAsking(false) })}
        />
      )}
    </>
  );
}

function Offer({ v }: { v: ProviderVersion }) {
  if (v.yanked) return <State state="warn" said="yanked" />;
  if (v.revoked) return <State state="failed" said="its key is revoked" />;
  if (!v.complete) return <State state="waiting" said="archives are missing" />;
  return <State state="succeeded" said="offered" />;
}
