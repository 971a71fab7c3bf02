import { Code, Text } from '@mantine/core';
import type { Step } from '../../api/types';
import { Facts, Section } from '../../parts/Page';
import { bytes } from '../../words/time';

/** Outputs and artifacts that a step left. */
export function StepResults({ step }: { step: Step }) {
  const outputs = Object.entries(step.outputs ?? {});
  const artifacts = Object.entries(step.artifacts ?? {});
  if (outputs.length + artifacts.length === 0) return null;
  return (
    <Section title="Results">
      <Facts
        items={[
          ...outputs.map(([name, value]): [string, React.ReactNode] => [name, <Code key={name}>{value}</Code>]),
          ...artifacts.map(([name, a]): [string, React.ReactNode] => [
            `${name} (${a.kind})`,
            <Text key={name} size="sm" title={a.digest}>
              {bytes(a.size)}, {a.digest.slice(0, 19)}…
            </Text>,
          ]),
        ]}
      />
    </Section>
  );
}
