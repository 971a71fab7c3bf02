import { Button, Group, Progress, Stack, TagsInput, Text } from '@mantine/core';
import { useState } from 'react';
import { useReplay } from '../../api/policies';
import type { PolicyDetail } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Moment } from '../../parts/Moment';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { DecisionLink } from './Decisions';
import { inOneLine, percent } from './words';

const shown = 200;

function words(changed: boolean, moved: boolean) {
  if (changed) return 'Replay the changed source over all decisions';
  return moved ? 'Replay it with these labels over all decisions' : 'Replay it over all decisions';
}

/** Which of all past decisions would have come out otherwise. */
export function Replay({ policy, rego, changed }: { policy: PolicyDetail; rego: string; changed: boolean }) {
  const { progress, start, stop } = useReplay();
  const [labels, setLabels] = useState(policy.labels ?? []);
  const moved = labels.join() !== (policy.labels ?? []).join();
  const attach = moved ? { labels, stacks: policy.subjects ?? [] } : undefined;
  const { running, done, looked, total, examined, skipped, failed } = progress;
  const begun = running || done || looked > 0;
  return (
    <Section
      title="Replay"
      actions={
        running ? (
          <Button size="compact-sm" variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Group gap="xs">
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => void start({ policy: policy.ref, rego, ...(attach && { attach }) })}
            >
              {words(changed, moved)}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => void start({ policy: policy.ref, gone: true })}>
              Replay without it
            </Button>
          </Group>
        )
      }
    >
      <Stack gap="sm">
        {!begun && (
          <Text size="sm" c="dimmed">
            Asks the source above about every decision on record that it would have taken part in, and shows which would
            have come out otherwise; or tells what it would have been without the policy, as if it were disabled.
          </Text>
        )}
        <TagsInput
          label="For what has one of these labels"
          description="None, without stacks that it names: for all in its space and below"
          value={labels}
          onChange={setLabels}
          disabled={running}
        />
        {begun && (
          <>
            <Progress
              value={done ? 100 : percent(looked, total)}
              aria-label={`${done ? 100 : percent(looked, total)} percent are looked at`}
            />
            <Group role="status">
              <Text size="sm">
                {done ? 'All decisions were looked at' : `${looked} of ${Math.max(total, looked)} looked at`}: it takes
                part in {examined}, and {progress.changed.length} would have come out otherwise
                {skipped > 0 && `; ${skipped} have no input any more`}
                {failed > 0 && `; ${failed} it can't decide`}.
              </Text>
            </Group>
          </>
        )}
        <Failure error={progress.error} title="The replay ended early" />
        {progress.changed.length > 0 && (
          <Table
            label="Decisions that would have come out otherwise"
            rows={progress.changed.slice(0, shown)}
            id={(c) => c.decision.id}
            columns={[
              { name: 'Was', cell: (c) => <DecisionLink id={c.decision.id} text={inOneLine(c.before)} /> },
              { name: 'Would be', cell: (c) => inOneLine(c.after) },
              {
                name: 'About',
                width: 160,
                wide: true,
                cell: (c) => (c.decision.subject ? <RefLink to={c.decision.subject} /> : null),
              },
              { name: 'When', right: true, width: 130, wide: true, cell: (c) => <Moment at={c.decision.time} /> },
            ]}
          />
        )}
        {progress.changed.length > shown && (
          <Text size="sm" c="dimmed">
            The newest {shown} are shown; roadbed policy replay lists them all.
          </Text>
        )}
      </Stack>
    </Section>
  );
}
