import { Button, Group } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { integrations } from '../../api/queries';
import type { Integration } from '../../api/types';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { useCopy } from '../../parts/useCopy';
import { documentOf, forgeName } from './declare';
import { Try } from './Try';

/** The outside forges that are connected, and how each does. */
export function Integrations() {
  const query = useInfiniteQuery(integrations);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const connect = (
    <Button component={Link} to="/integrations/connect">
      Connect a forge
    </Button>
  );
  return (
    <Page
      title="Integrations"
      query={query}
      about="GitHub, GitLab and Gitea, and the credentials by which the platform works with them."
      actions={
        <>
          <CopyCommand command="roadbed integration list" />
          {items.length > 0 && connect}
        </>
      }
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="No forge is connected" action={connect}>
            Repositories that are hosted here need none. To work with repositories on GitHub, GitLab or Gitea, connect
            the forge; or apply a document like the one below, with its token as a secret.
          </Empty>
        )}
        {items.length > 0 && (
          <Table
            label="Integrations"
            rows={items}
            id={(i) => i.ref}
            columns={[
              { name: 'Name', cell: (i) => <RefLink to={i.ref} /> },
              { name: 'State', width: 150, cell: (i) => <State state={i.state} /> },
              { name: 'Forge', wide: true, cell: (i) => `${forgeName(i.forge)} at ${new URL(i.url).host}` },
              { name: 'Signed in as', wide: true, cell: (i) => i.login ?? '' },
              { name: 'Lacks', wide: true, cell: (i) => i.missing.join(', ') },
              { name: 'Requests left', wide: true, right: true, width: 130, cell: left },
              { name: 'Tried', wide: true, width: 130, cell: (i) => (i.looked ? <Moment at={i.looked} /> : 'not yet') },
              { name: 'Test', right: true, width: 110, cell: (i) => <Try integration={i} small /> },
            ]}
          />
        )}
        <More query={query} />
      </Section>
      {query.isSuccess && items.length === 0 && <Example />}
    </Page>
  );
}

/** A document to begin with. */
function Example() {
  const { copied, copy } = useCopy();
  const text = `# First: roadbed secret put --platform default/github-token, and default/github-hook\n${documentOf(example)}`;
  return (
    <Section
      title="As a document"
      actions={
        <Group gap="xs">
          <CopyCommand command="roadbed apply -f forge.yaml" />
          <Button size="compact-sm" variant="default" onClick={() => copy(text)}>
            {copied ? 'Copied' : 'Copy the document'}
          </Button>
        </Group>
      }
    >
      <Block text={text} />
    </Section>
  );
}

const example = {
  name: 'github',
  forge: 'github' as const,
  url: '',
  owners: ['acme'],
  token: 'default/github-token',
  webhook: 'default/github-hook',
};

export function left(i: Integration): string {
  return i.rate ? `${i.rate.left} of ${i.rate.limit}` : '';
}
