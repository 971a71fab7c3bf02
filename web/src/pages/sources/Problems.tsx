import type { Location } from '../../api/sources';
import { Section } from '../../parts/Page';
import { Table } from '../../parts/Table';

/** What of a source could not be taken, and where it stands. */
export function Problems({ problems }: { problems: Location['problems'] }) {
  if (problems.length === 0) return null;
  return (
    <Section flush title="What is wrong">
      <Table
        label="What is wrong"
        rows={problems.map((p, n) => ({ ...p, key: String(n) }))}
        id={(p) => p.key}
        columns={[
          { name: 'Message', cell: (p) => [p.field, p.message].filter(Boolean).join(' ') },
          { name: 'File', wide: true, cell: (p) => [p.file, p.line].filter(Boolean).join(':') },
          { name: 'What to do', wide: true, cell: (p) => p.hint ?? '' },
        ]}
      />
    </Section>
  );
}
