import { Code } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { provider as providerQuery, providerVersions } from '../../api/registry';
import type { ProviderVersion } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { PageSkeleton } from '../../shell/PageSkeleton';
import { Usage } from './Usage';
import { providerUsage } from './usage';

const route = getRouteApi('/shell/providers/$namespace/$name');

/** A provider: how to use it, its versions, and the keys that sign them. */
export function ProviderPage() {
  const { namespace, name } = route.useParams();
  const query = useQuery(providerQuery(namespace, name));
  const versions = useInfiniteQuery(providerVersions(namespace, name));
  const items = versions.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.isLoadingError) {
    return (
      <Page title={name}>
        <Failure error={query.error} retry={() => query.refetch()} />
      </Page>
    );
  }
  const p = query.data;
  if (!p) return <PageSkeleton />;
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
      actions={<CopyCommand command={`roadbed provider show ${namespace}/${name}`} />}
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
              { name: 'Published', right: true, width: 130, cell: (v) => <Moment at={v.created} /> },
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

function Offer({ v }: { v: ProviderVersion }) {
  if (v.yanked) return <State state="warn" said="yanked" />;
  if (v.revoked) return <State state="failed" said="its key is revoked" />;
  if (!v.complete) return <State state="waiting" said="archives are missing" />;
  return <State state="succeeded" said="offered" />;
}
