import { Button, Group, Paper, Text } from '@mantine/core';
import { useReplan } from '../../api/actions';
import type { PlanChange, RunDetail } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { replanCommand } from './plan';

interface Props {
  run: RunDetail;
  changes: PlanChange[];
  chosen: ReadonlySet<string>;
  clear: () => void;
}

/** What can be done with the resources that are chosen of a plan. It has its place before any is. */
export function ReplanBar({ run, changes, chosen, clear }: Props) {
  const replan = useReplan(run);
  const addresses = changes.filter((c) => chosen.has(c.address)).map((c) => c.address);
  const there = changes.every((c) => !chosen.has(c.address) || (c.before !== undefined && c.before !== null));
  const ask = (what: 'targets' | 'replace') => replan.mutate({ [what]: addresses }, { onSuccess: clear });
  return (
    <Paper
      withBorder
      p="sm"
      style={addresses.length > 0 ? { position: 'sticky', bottom: 12 } : undefined}
      component="section"
      aria-label="Plan anew"
    >
      <Failure error={replan.error} title="It can't be planned anew" />
      <Group justify="space-between" gap="sm">
        <Text size="sm" c={addresses.length === 0 ? 'dimmed' : undefined} role="status">
          {addresses.length === 0
            ? 'Choose resources to plan only these. The new plan is judged and reviewed anew.'
            : `${addresses.length} chosen`}
        </Text>
        <Group gap="xs">
          <CopyCommand command={replanCommand(run.id, addresses)} />
          <Button variant="default" disabled={addresses.length === 0} onClick={clear}>
            Choose none
          </Button>
          <Button
            variant="default"
            disabled={addresses.length === 0 || !there}
            loading={replan.isPending}
            title={there ? undefined : 'Only what is there can be made anew'}
            onClick={() => ask('replace')}
          >
            Make anew
          </Button>
          <Button disabled={addresses.length === 0} loading={replan.isPending} onClick={() => ask('targets')}>
            Plan only these
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}
