import { Code } from '@mantine/core';
import type { StateVersion } from '../../api/types';
import { Empty, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';

export function Outputs({ outputs }: { outputs: StateVersion['outputs'] }) {
  const rows = Object.entries(outputs ?? {});
  return (
    <Section title="Outputs" flush>
      {rows.length === 0 ? (
        <Empty title="No outputs">
          What the code declares as output shows here, and reaches the applications that name this stack.
        </Empty>
      ) : (
        <Table
          label="Outputs"
          rows={rows}
          id={([name]) => name}
          columns={[
            { name: 'Name', width: '30%', cell: ([name]) => name },
            {
              name: 'Value',
              cell: ([, o]) =>
                o.sensitive ? (
                  <i>sensitive, not shown</i>
                ) : (
                  <Code>{typeof o.value === 'string' ? o.value : JSON.stringify(o.value)}</Code>
                ),
            },
          ]}
        />
      )}
    </Section>
  );
}
