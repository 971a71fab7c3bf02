import { Text } from '@mantine/core';
import type { ModuleTest } from '../../api/types';
import { Empty, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';

/** How the tests of a version went. */
export function Tests({ tests }: { tests: ModuleTest[] }) {
  return (
    <Section title="Tests" flush={tests.length > 0}>
      {tests.length === 0 && (
        <Empty title="This version has no tests">
          Name some in .roadbed/config.yml, or add a folder below examples: the next version is applied and destroyed
          with them before it is offered.
        </Empty>
      )}
      {tests.length > 0 && (
        <Table
          label="Tests"
          rows={tests}
          id={(t) => t.id}
          columns={[
            {
              name: 'Test',
              cell: (t) => (
                <>
                  {t.name}
                  {t.negative && (
                    <Text span size="xs" c="dimmed">
                      {' '}
                      must fail
                    </Text>
                  )}
                </>
              ),
            },
            { name: 'Folder', wide: true, cell: (t) => t.root || 'the module itself' },
            { name: 'State', width: 150, cell: (t) => <State state={t.state} /> },
            { name: 'Reason', wide: true, cell: (t) => t.reason },
            { name: 'Run', width: 140, cell: (t) => (t.run ? <RefLink to={t.run} /> : '') },
          ]}
        />
      )}
    </Section>
  );
}
