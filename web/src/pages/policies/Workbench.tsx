import { Button, Group, List, Select, Stack, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { decisions, useTryPolicy } from '../../api/policies';
import type { PolicyDetail, PolicyTry } from '../../api/types';
import { Block } from '../../parts/Block';
import { Failure } from '../../parts/Failure';
import { Section } from '../../parts/Page';
import { shortRef } from '../../words/ref';
import { Replay } from './Replay';
import { inOneLine } from './words';

const Editor = lazy(() => import('../repository/Editor'));

/** Tries a changed source on what was recorded, before anybody publishes it. */
export function Workbench({ policy, decision }: { policy: PolicyDetail; decision?: string }) {
  const [rego, setRego] = useState(policy.rego);
  const [chosen, choose] = useState(decision);
  const past = useInfiniteQuery(decisions({ point: policy.point }));
  const attempt = useTryPolicy();
  const items = past.data?.pages.flatMap((p) => p.items) ?? [];
  const options = items.map((d) => ({
    value: d.id,
    label:
      `${new Date(d.time).toLocaleString('en-GB')}, ${d.who?.name || (d.subject ? shortRef(d.subject) : d.space)}: ${inOneLine(d.outcome)}`.slice(
        0,
        140,
      ),
  }));
  if (chosen && !options.some((o) => o.value === chosen)) options.unshift({ value: chosen, label: shortRef(chosen) });
  const changed = rego !== policy.rego;
  return (
    <>
      <Section title="Workbench">
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            Change the source and try it on an input that was recorded. Nothing of it takes effect until the document is
            changed.
          </Text>
          <Suspense fallback={<Block text={policy.rego} />}>
            <Editor
              text={policy.rego}
              path={`${policy.ref}.rego`}
              calm
              ending={'\n'}
              changed={(text) => {
                setRego(text);
                attempt.reset();
              }}
            />
          </Suspense>
          <Group align="flex-end" gap="sm">
            <Select
              style={{ flex: 1, minWidth: 260 }}
              label="On the input of"
              placeholder={past.isPending ? 'Reading decisions' : 'A decision'}
              nothingFoundMessage="Nothing was decided at this point yet"
              searchable
              data={options}
              value={chosen ?? null}
              onChange={(id) => {
                choose(id ?? undefined);
                attempt.reset();
              }}
            />
            <Button
              disabled={!chosen}
              loading={attempt.isPending}
              onClick={() => chosen && attempt.mutate({ policy: policy.ref, rego, decision: chosen })}
            >
              Try
            </Button>
          </Group>
          <div aria-live="polite">
            <Failure error={attempt.error} title="It can't be tried" />
            {attempt.data && <Outcome tried={attempt.data} />}
          </div>
        </Stack>
      </Section>
      <Replay policy={policy} rego={rego} changed={changed} />
    </>
  );
}

function Outcome({ tried }: { tried: PolicyTry }) {
  const before = inOneLine(tried.before ?? {});
  const after = inOneLine(tried.outcome);
  return (
    <List size="sm">
      <List.Item>It says: {inOneLine(tried.says)}</List.Item>
      {tried.error && <List.Item>It can't decide: {tried.error}</List.Item>}
      {tried.notes?.map((note) => (
        <List.Item key={note}>A function failed: {note}</List.Item>
      ))}
      {before === after && <List.Item>It would be decided as it was: {after}</List.Item>}
      {before !== after && (
        <>
          <List.Item>It was decided: {before}</List.Item>
          <List.Item>It would be: {after}</List.Item>
        </>
      )}
    </List>
  );
}
