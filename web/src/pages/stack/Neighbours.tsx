import { Code } from '@mantine/core';
import type { Stack } from '../../api/types';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';

/** What a stack depends on, and what depends on it; nothing where it stands alone. */
export function Neighbours({ stack }: { stack: Stack }) {
  const rows = [
    ...(stack.dependsOn ?? []).map((n) => ({ ...n, side: 'depends on' })),
    ...(stack.dependents ?? []).map((n) => ({ ...n, side: 'is used by' })),
  ];
  if (rows.length === 0) return null;
  return (
    <Section title="Dependencies" flush>
      <Table
        label="Dependencies"
        rows={rows}
        id={(n) => `${n.side} ${n.stack}`}
        columns={[
          { name: 'It', width: 120, cell: (n) => n.side },
          { name: 'Stack', cell: (n) => <RefLink to={n.stack} /> },
          {
            name: 'Outputs that are used',
            wide: true,
            cell: (n) =>
              n.outputs.length === 0
                ? 'none; it is the order alone'
                : n.outputs.map((use) => (
                    <div key={use.as}>
                      {use.output} as <Code>{use.as}</Code>
                    </div>
                  )),
          },
          { name: 'Up to date', width: 120, cell: (n) => (n.unused ? 'not yet' : 'yes') },
        ]}
      />
    </Section>
  );
}
