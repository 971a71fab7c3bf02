import { Button, Code } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { allStackSets } from '../../api/stacksets';
import type { StackSet } from '../../api/types';
import { Block } from '../../parts/Block';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { RepositoryLink } from '../../parts/RepositoryLink';
import { State } from '../../parts/State';
import { type Column, Table } from '../../parts/Table';
import { standingOf } from './standing';

const example = `apiVersion: roadbed.dev/v1
kind: StackSet
metadata: {name: live}
spec:
  owner: group:default/platform
  source: {repository: platform/live, branch: main}
  folders: ["stacks/*/*/"]
  template:
    labels: ["env:{{path[2]}}", "{{path[1]}}"]
    watch: ["modules/**"]
`;

const columns: Column<StackSet>[] = [
  { name: 'Name', width: '20%', cell: (t) => <RefLink to={t.ref} /> },
  { name: 'State', width: 200, cell: (t) => <State {...standingOf(t)} /> },
  {
    name: 'Folders',
    wide: true,
    cell: (t) => (
      <>
        <RepositoryLink name={t.repository} />{' '}
        {t.folders.map((f) => (
          <span key={f}>
            <Code>{f}</Code>{' '}
          </span>
        ))}
      </>
    ),
  },
  { name: 'Stacks', right: true, width: 90, cell: (t) => t.stacks },
  { name: 'Looked', wide: true, right: true, width: 140, cell: (t) => (t.looked ? <Moment at={t.looked} /> : '') },
];

/** Sets that keep a stack for each folder of a repository. */
export function StackSets() {
  const query = useInfiniteQuery(allStackSets);
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Stack sets"
      query={query}
      about="A stack for each folder of a repository that fits, kept so with each push."
      actions={
        <>
          <CopyCommand command="roadbed stack set list" />
          <Button component={Link} to="/declare" variant={items.length > 0 ? 'default' : 'filled'}>
            Declare one
          </Button>
        </>
      }
    >
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <Empty title="No stack set yet">
            Where a repository has a folder of code for each environment or team, a set keeps a stack for each of them.
            Put your repository and your folders into the document below, and declare it.
          </Empty>
        )}
        {items.length > 0 && <Table label="Stack sets" rows={items} id={(t) => t.ref} columns={columns} />}
        <More query={query} />
      </Section>
      {query.isSuccess && items.length === 0 && (
        <Section title="As a document" actions={<CopyCommand command="roadbed apply -f set.yaml" />}>
          <Block text={example} />
        </Section>
      )}
    </Page>
  );
}
