import { Alert, Button, Checkbox, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useProposal, type Way } from '../../api/proposing';
import type { ProposalPath } from '../../api/queries';
import type { ProposalDetail } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import classes from './proposal.module.css';

const wayWords: Record<string, string> = {
  merge: 'With a commit of its own',
  squash: 'As one commit',
  rebase: 'Commit by commit',
};

/** What stands in the way of merging a proposal, and the merge itself. */
export function MergeBox({ path, proposal }: { path: ProposalPath; proposal: ProposalDetail }) {
  const act = useProposal(path);
  const [way, setWay] = useState<string>();
  const [title, setTitle] = useState('');
  const [deleteSource, setDelete] = useState(true);
  const chosen = (way && proposal.ways.includes(way) ? way : proposal.ways[0]) as Way | undefined;
  const may = proposal.can.includes('auto');
  const clear = proposal.blockers.length === 0;
  return (
    <Stack gap="sm">
      {clear ? (
        <Alert color="green" variant="light" title="Nothing is in the way" />
      ) : (
        <ul className={classes.list} aria-label="In the way">
          {proposal.blockers.map((b) => (
            <li key={b.message}>
              <State state={b.waits ? 'waiting' : 'failed'} said="" bare />
              <span>{b.message}</span>
            </li>
          ))}
        </ul>
      )}
      {proposal.rules.length > 0 && (
        <Text size="xs" c="dimmed">
          By the rules{' '}
          {proposal.rules.map((r, i) => (
            <span key={r}>
              {i > 0 && ', '}
              <RefLink to={r} />
            </span>
          ))}
        </Text>
      )}
      {proposal.auto && (
        <Text size="sm">
          It merges itself ({wayWords[proposal.auto]?.toLowerCase()}) for {proposal.autoBy?.name} when nothing is in the
          way.
        </Text>
      )}
      {proposal.can.includes('update') && (
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="default"
            loading={act.isPending}
            onClick={() => act.mutate({ do: 'update', way: 'merge', head: proposal.head })}
          >
            Bring {proposal.target} into {proposal.source}
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            loading={act.isPending}
            onClick={() => act.mutate({ do: 'update', way: 'rebase', head: proposal.head })}
          >
            Rebase
          </Button>
          <CopyCommand command={`roadbed proposal update '${proposal.full}'`} />
        </Group>
      )}
      {may && chosen && (
        <>
          <Select
            label="How"
            data={proposal.ways.map((w) => ({ value: w, label: wayWords[w] ?? w }))}
            value={chosen}
            allowDeselect={false}
            onChange={(value) => setWay(value ?? undefined)}
          />
          {chosen !== 'rebase' && clear && (
            <TextInput
              label="Title of the commit"
              placeholder={chosen === 'squash' ? `${proposal.title} (#${proposal.number})` : `Merge ${proposal.source}`}
              value={title}
              maxLength={250}
              onChange={(e) => setTitle(e.currentTarget.value)}
            />
          )}
          {clear && (
            <Checkbox
              label={`Delete ${proposal.source} then`}
              checked={deleteSource}
              onChange={(e) => setDelete(e.currentTarget.checked)}
            />
          )}
          <Failure error={act.error} />
          <Group gap="xs">
            {clear ? (
              <Button
                loading={act.isPending}
                onClick={() =>
                  act.mutate({ do: 'merge', way: chosen, title, body: '', head: proposal.head, deleteSource })
                }
              >
                Merge
              </Button>
            ) : proposal.auto ? (
              <Button variant="default" loading={act.isPending} onClick={() => act.mutate({ do: 'auto' })}>
                Don’t merge by itself
              </Button>
            ) : (
              <Button variant="default" loading={act.isPending} onClick={() => act.mutate({ do: 'auto', way: chosen })}>
                Merge when ready
              </Button>
            )}
            <CopyCommand
              command={`roadbed proposal merge '${proposal.full}' --way ${chosen}${clear ? ` --head ${proposal.head}` : ' --auto'}`}
            />
          </Group>
        </>
      )}
      {may && !chosen && <Text size="sm">The rules together leave no way to merge; ask who keeps them.</Text>}
    </Stack>
  );
}
