import { Anchor, Group, List, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Decision, RunDetail } from '../../api/types';
import { Moment } from '../../parts/Moment';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';

/** What policies and people said of a run. */
export function Review({ run }: { run: RunDetail }) {
  if (run.decisions.length === 0 && run.reviews.length === 0) return null;
  return (
    <Section title="Policies and reviews">
      <Stack gap="sm">
        {run.decisions.map((decision) => (
          <Verdict key={decision.id} decision={decision} />
        ))}
        {run.reviews.map((review) => (
          <div key={review.id}>
            <Group gap="xs">
              <State state={review.verdict} />
              <Text size="sm">
                {review.actor.name}, <Moment at={review.time} />
              </Text>
            </Group>
            {review.note && (
              <Text size="sm" c="dimmed" mt={4} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
                {review.note}
              </Text>
            )}
          </div>
        ))}
      </Stack>
    </Section>
  );
}

const harsh = ['deny', 'reject', 'warn', 'approve'];

/** The gravest thing that was said, for the mark beside a decision. */
export function gravest(outcome: Decision['outcome']): string {
  return harsh.find((rule) => (outcome[rule] ?? []).length > 0) ?? 'passed';
}

function Verdict({ decision }: { decision: Decision }) {
  const said = Object.entries(decision.outcome).flatMap(([rule, messages]) =>
    (messages ?? []).map((m) => ({ rule, m })),
  );
  const verdict = gravest(decision.outcome);
  return (
    <div>
      <Group gap="xs">
        <State state={verdict} of="verdict" />
        <Text size="sm">
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/decisions/$id" params={{ id: decision.id }} {...props} />}
          >
            {decision.point}
          </Anchor>{' '}
          {decision.policies.length > 0 ? 'by ' : 'had no policy to ask'}
          {decision.policies.map((policy, i) => (
            <span key={policy}>
              {i > 0 && ', '}
              <RefLink to={policy} />
            </span>
          ))}
          , <Moment at={decision.time} />
        </Text>
      </Group>
      {said.length > 0 && (
        <List size="sm" mt={4} ml="md">
          {said.map(({ rule, m }) => (
            <List.Item key={`${rule} ${m}`}>
              <b>{rule}</b>: {m}
            </List.Item>
          ))}
        </List>
      )}
    </div>
  );
}
