import { Alert, Button, Group, Stack } from '@mantine/core';
import { IconArrowLeft, IconArrowsLeftRight } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { comparison, history } from '../../api/code';
import type { Repository } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Empty, Section } from '../../parts/Page';
import { CommitList } from './CommitList';
import { DiffView } from './DiffView';
import { NotThere } from './NotThere';
import { mayWrite, placeOf } from './place';
import { RefPicker } from './RefPicker';

const route = getRouteApi('/shell/repositories/$namespace/$name');

/** What one branch, tag or commit has that another has not. */
export default function Compare({ repo }: { repo: Repository }) {
  const { base = repo.defaultBranch, head = '' } = route.useSearch();
  const query = useQuery(comparison(repo, base, head));
  const d = query.data;
  const commits = useInfiniteQuery({
    ...history(repo, { ref: d?.to ?? head, base: d?.base }),
    enabled: Boolean(d) && (d?.ahead ?? 0) > 0,
  });
  const to = (b: string, h: string) => placeOf(repo, { tab: 'compare', base: b, head: h });
  const isBranch = !/^[0-9a-f]{7,64}$/.test(head);
  return (
    <Stack gap="md">
      <Group gap="xs">
        <RefPicker repo={repo} value={base} label="Base" choose={(b) => to(b, head)} />
        <IconArrowLeft size={16} aria-label="has what is in" />
        <RefPicker repo={repo} value={head || 'choose what to compare'} label="Compared" choose={(h) => to(base, h)} />
        {head && (
          <>
            <Button
              component={Link}
              to={to(head, base)}
              variant="default"
              size="compact-sm"
              leftSection={<IconArrowsLeftRight size={14} aria-hidden />}
            >
              The other way
            </Button>
            <CopyCommand command={`roadbed repo compare ${repo.namespace}/${repo.name} ${base} ${head}`} />
          </>
        )}
        {d && d.ahead > 0 && isBranch && mayWrite(repo) && (
          <Button
            component={Link}
            to={`/repositories/${repo.namespace}/${repo.name}/propose?source=${encodeURIComponent(head)}`}
            size="compact-sm"
          >
            Propose it
          </Button>
        )}
      </Group>
      {!head && (
        <Section>
          <Empty title="Choose what to compare">
            Any branch, tag or commit with {base}: its commits, and what they change.
          </Empty>
        </Section>
      )}
      {head && head === base && (
        <Section>
          <Empty title="That is the same">Choose another branch, tag or commit.</Empty>
        </Section>
      )}
      {query.isLoadingError && <NotThere repo={repo} error={query.error} retry={() => query.refetch()} />}
      {d && (
        <>
          <p style={{ margin: 0 }} role="status">
            {head} has {d.ahead} {d.ahead === 1 ? 'commit' : 'commits'} that {base} has not, and lacks {d.behind}.
          </p>
          {(d.conflicts ?? []).length > 0 && (
            <Alert color="yellow" variant="light" title="They can't be brought together as they are">
              Both changed the same in {d.conflicts?.join(', ')}.
            </Alert>
          )}
          {d.ahead > 0 && <CommitList repo={repo} query={commits} />}
        </>
      )}
      {head && head !== base && !query.isLoadingError && (
        <DiffView query={query} none={`${base} has all of it already.`} />
      )}
    </Stack>
  );
}
