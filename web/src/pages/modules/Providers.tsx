import { Anchor, Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { providers } from '../../api/registry';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';

/** The Terraform providers that engines install from here. */
export function Providers() {
  const query = useInfiniteQuery(providers);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Providers"
      query={query}
      about="Terraform providers with signed versions, which configurations install from here."
      actions={
        <>
          <CopyCommand command="roadbed provider list" />
          <Button variant="default" component={Link} to="/providers/mirror">
            Mirror
          </Button>
          <Button variant="default" component={Link} to="/modules">
            Modules
          </Button>
        </>
      }
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title="No provider yet"
            action={
              <Button component={Link} to="/declare">
                Declare one
              </Button>
            }
          >
            Apply a document of the kind Provider with the public keys that sign it, and publish a version with roadbed
            provider publish.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Providers"
            rows={items}
            id={(p) => p.ref}
            columns={[
              {
                name: 'Provider',
                cell: (p) => (
                  <Anchor
                    size="sm"
                    renderRoot={(props) => (
                      <Link
                        to="/providers/$namespace/$name"
                        params={{ namespace: p.namespace, name: p.name }}
                        {...props}
                      />
                    )}
                  >
                    {p.title || p.name}
                  </Anchor>
                ),
              },
              { name: 'Address', cell: (p) => p.address },
              { name: 'Owner', wide: true, cell: (p) => (p.owner ? <RefLink to={p.owner} /> : '') },
              { name: 'Keys', right: true, width: 90, cell: (p) => p.keys.length },
            ]}
          />
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}
