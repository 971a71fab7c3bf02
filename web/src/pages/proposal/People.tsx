import { Button, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useProposal } from '../../api/proposing';
import { me, type ProposalPath } from '../../api/queries';
import type { ProposalDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';

/** Who looks after a proposal; one may take it on oneself. */
export function People({ path, proposal }: { path: ProposalPath; proposal: ProposalDetail }) {
  const who = useQuery(me);
  const act = useProposal(path);
  const people = proposal.assignees ?? [];
  const mine = who.data?.ref;
  const isMine = people.some((p) => p.ref === mine);
  const others = people.flatMap((p) => (p.ref && p.ref !== mine ? [p.ref] : []));
  return (
    <>
      <Group gap="xs" justify="space-between">
        <Text size="sm">{people.length > 0 ? people.map((p) => p.name).join(', ') : 'Nobody so far.'}</Text>
        {mine?.startsWith('user:') && proposal.can.includes('review') && (
          <Button
            size="compact-xs"
            variant="default"
            loading={act.isPending}
            onClick={() => act.mutate({ do: 'edit', assignees: isMine ? others : [...others, mine] })}
          >
            {isMine ? 'Not me' : 'I do'}
          </Button>
        )}
      </Group>
      <Failure error={act.error} />
    </>
  );
}
