import { Alert, Text } from '@mantine/core';
import type { PlanCost } from '../../api/types';
import { Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { money } from './plan';

/** Resources that are shown; the command line shows all. */
const most = 50;

/** What a plan would change of what the stack costs in a month. */
export function Cost({ cost }: { cost?: PlanCost }) {
  if (!cost) return null;
  const changed = cost.resources.filter((r) => r.delta !== 0).toSorted((a, b) => Math.abs(b.delta) - Math.abs(a.delta));
  return (
    <Section
      title="Cost in a month"
      flush
      actions={
        <Text size="sm" c="dimmed">
          by {cost.source === 'infracost' && 'infracost'}
          {(cost.lists ?? []).map((list, i) => (
            <span key={list}>
              {i > 0 && ', '}
              <RefLink to={list} />
            </span>
          ))}
        </Text>
      }
    >
      <Text p="md" size="sm">
        <b>{money(cost.after, cost.currency)}</b> after it, {money(cost.before, cost.currency)} before:{' '}
        <b>{money(cost.delta, cost.currency, true)}</b>
        {cost.unpriced > 0 && `. No price speaks of ${cost.unpriced} ${cost.unpriced === 1 ? 'resource' : 'resources'}`}
      </Text>
      {changed.length > 0 && (
        <Table
          label="Cost of resources"
          rows={changed.slice(0, most)}
          id={(r) => r.address}
          columns={[
            {
              name: 'Resource',
              cell: (r) => (
                <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                  {r.address}
                </Text>
              ),
            },
            {
              name: 'Parts',
              wide: true,
              cell: (r) => (r.parts ?? []).map((p) => `${p.quantity} × ${p.unit || p.name}`).join(', '),
            },
            { name: 'Before', wide: true, right: true, width: 130, cell: (r) => money(r.before, cost.currency) },
            { name: 'After', wide: true, right: true, width: 130, cell: (r) => money(r.after, cost.currency) },
            { name: 'Difference', right: true, width: 140, cell: (r) => money(r.delta, cost.currency, true) },
          ]}
        />
      )}
      {changed.length > most && (
        <Text p="md" size="sm" c="dimmed">
          {changed.length - most} more change by less; roadbed run plan shows them all.
        </Text>
      )}
      {(cost.notes ?? []).map((note) => (
        <Alert key={note} color="gray" variant="light" m="sm" p="xs">
          {note}
        </Alert>
      ))}
    </Section>
  );
}
