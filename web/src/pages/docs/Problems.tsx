import { Anchor, Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type DocsOf, docsCheck } from '../../api/docs';
import type { DocsSite } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';

/** What is wrong in the docs of an entity, with file and line. */
export function Problems({ of, site, back }: { of: DocsOf; site: DocsSite; back: () => void }) {
  const query = useQuery(docsCheck(of, site.commit));
  const report = query.data;
  const place = (file: string, line?: number) => {
    const asked = new URLSearchParams({ path: file, look: 'code', ...(of.rev ? { ref: of.rev } : {}) });
    return `/repositories/${site.repository}?${asked}${line ? `#L${line}` : ''}`;
  };
  return (
    <Section
      title="Problems"
      flush
      actions={
        <Button size="compact-sm" variant="default" onClick={back}>
          Back to the docs
        </Button>
      }
    >
      {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
      {query.isPending && <Rows />}
      {report && report.problems.length === 0 && (
        <Empty title="Nothing is wrong">
          {report.links} links on {report.pages} pages lead somewhere.
        </Empty>
      )}
      {report && report.problems.length > 0 && (
        <Table
          label="Problems"
          rows={report.problems.map((p, i) => ({ ...p, id: String(i) }))}
          id={(p) => p.id}
          columns={[
            {
              name: 'Place',
              width: '35%',
              cell: (p) =>
                p.file && (
                  <Anchor component={Link} to={place(p.file, p.line)} size="sm">
                    {p.file}
                    {p.line ? `:${p.line}` : ''}
                  </Anchor>
                ),
            },
            { name: 'Link', wide: true, cell: (p) => p.target },
            { name: 'What is wrong', cell: (p) => p.message },
          ]}
        />
      )}
      {report?.more && <p style={{ padding: '0 16px' }}>There are more than these.</p>}
    </Section>
  );
}
