import { Anchor, Button, Group, Select, Text } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { stackSetFolders } from '../../api/stacksets';
import type { StackSet, StackSetFolder } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { Moment } from '../../parts/Moment';
import { More } from '../../parts/More';
import { Empty, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Stale } from '../../parts/Stale';
import { State } from '../../parts/State';
import { type Column, Table } from '../../parts/Table';
import { folderCommand, shares, shown } from './standing';

const route = getRouteApi('/shell/infrastructure/sets/$namespace/$name');

const columns = (set: StackSet): Column<StackSetFolder>[] => [
  { name: 'Folder', cell: (f) => <Folder set={set} folder={f} /> },
  { name: 'Stack', wide: true, width: '24%', cell: (f) => (f.stack ? <RefLink to={f.stack.ref} /> : '') },
  { name: 'Stands', width: 170, cell: (f) => <Stands folder={f} /> },
  { name: 'Resources', wide: true, right: true, width: 110, cell: (f) => f.stack?.state?.resources ?? '' },
  {
    name: 'Last change',
    wide: true,
    right: true,
    width: 140,
    cell: (f) => (f.stack?.state ? <Moment at={f.stack.state.created} /> : ''),
  },
];

function Folder({ set, folder: f }: { set: StackSet; folder: StackSetFolder }) {
  const [namespace = '', name = ''] = set.repository.split('/');
  const gone = f.standing === 'kept' || f.standing === 'held';
  return (
    <>
      {gone ? (
        <Text size="sm" td="line-through" c="dimmed">
          {f.folder}
        </Text>
      ) : (
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link
              to="/repositories/$namespace/$name"
              params={{ namespace, name }}
              search={{ ref: set.branch, path: f.folder }}
              {...props}
            />
          )}
        >
          {f.folder}
        </Anchor>
      )}
      {f.stack && (
        <div data-narrow style={{ paddingTop: 10 }}>
          <RefLink to={f.stack.ref} />
        </div>
      )}
      {f.why && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {f.why}
        </Text>
      )}
    </>
  );
}

/** How a folder stands; of one that is a stack as it should be, how its last run ended. */
function Stands({ folder: { standing, stack } }: { folder: StackSetFolder }) {
  if (standing !== 'made') return <State {...shown[standing]} />;
  const run = stack?.lastRun;
  if (!run) return <State state="unknown" said="never ran" bare />;
  return (
    <Anchor renderRoot={(props) => <Link to="/runs/$id" params={{ id: run.id }} {...props} />} title={run.title}>
      <State state={run.state} of="last run" />
    </Anchor>
  );
}

/** The folders of a set, with the stack of each or why there is none. */
export function Folders({ set }: { set: StackSet }) {
  const { text, standing } = route.useSearch();
  const navigate = route.useNavigate();
  const { namespace, name } = set;
  const query = useInfiniteQuery(stackSetFolders(namespace, name, { text, standing }));
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const put = (next: { text?: string; standing?: string }) =>
    navigate({ search: (s) => ({ ...s, ...next }), replace: true, resetScroll: false });
  const narrowed = Boolean(text || standing);
  return (
    <>
      <Group gap="sm">
        <FilterText
          aria-label="Folder or stack"
          placeholder="Folder or stack"
          leftSection={<IconSearch size={14} aria-hidden />}
          style={{ flex: 1, minWidth: 200, maxWidth: 420 }}
          value={text}
          set={(next) => put({ text: next })}
        />
        <Select
          aria-label="How it stands"
          placeholder="However it stands"
          clearable
          w={190}
          data={shares(set).map((s) => ({ value: s.standing, label: `${shown[s.standing].said} (${s.count})` }))}
          value={standing ?? null}
          onChange={(value) => put({ standing: value ?? undefined })}
        />
        <CopyCommand command={folderCommand(`${namespace}/${name}`, { text, standing })} />
      </Group>
      <Section title="Folders" flush>
        <Stale query={query} />
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows />}
        {query.isSuccess && items.length === 0 && (
          <None set={set} narrowed={narrowed} all={() => put({ text: undefined, standing: undefined })} />
        )}
        {items.length > 0 && (
          <Table label="Folders" rows={items} id={(f) => `${f.folder} ${f.stack?.ref}`} columns={columns(set)} />
        )}
        <More query={query} />
      </Section>
    </>
  );
}

function None({ set, narrowed, all }: { set: StackSet; narrowed: boolean; all: () => void }) {
  if (narrowed) {
    return (
      <Empty
        title="No folder is like that"
        action={
          <Button variant="default" onClick={all}>
            Show all
          </Button>
        }
      >
        None of the folders of this set matches the filters.
      </Empty>
    );
  }
  if (!set.looked) return <Empty title="The branch is being looked at">Its folders show here in a moment.</Empty>;
  return (
    <Empty title="No folder fits">
      {`Nothing on the branch ${set.branch} fits ${set.folders.join(', ')} and has a file of its own like ${set.files.join(', ')}. Push such a folder, or change the patterns in the set's document.`}
    </Empty>
  );
}
