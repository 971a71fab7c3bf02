import { Alert } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { stackEnvironment } from '../../api/contexts';
import { Failure } from '../../parts/Failure';
import { Empty, Facts, Rows, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { Table } from '../../parts/Table';
import { Given } from '../contexts/Given';
import { whyAttached } from '../contexts/order';
import { engineName, whyEngine } from './engine';

/** What a run of a stack would be given now, and where each of it is from. */
export function EnvironmentTab({ namespace, name }: { namespace: string; name: string }) {
  const query = useQuery(stackEnvironment(namespace, name));
  const found = query.data;
  if (!found) return query.isError ? <Failure error={query.error} retry={() => query.refetch()} /> : <Rows />;
  return (
    <>
      {found.wrong && (
        <Alert color="red" variant="light" title="Runs fail before they plan">
          {found.wrong}
        </Alert>
      )}
      {(found.warnings ?? []).map((text) => (
        <Alert key={text} color="yellow" variant="light">
          {text}
        </Alert>
      ))}
      <Section title="Engine">
        <Facts
          items={[
            ['Runs use', engineName(found.engine)],
            ['Asked for', whyEngine(found.engine)],
          ]}
        />
      </Section>
      {found.tool && (
        <Section title="Program">
          <Facts
            items={[
              ['Runs use', engineName(found.tool)],
              ['Asked for', whyEngine(found.tool)],
            ]}
          />
        </Section>
      )}
      <Section title="Contexts, the last one wins" flush>
        {found.contexts.length === 0 ? (
          <Empty title="No contexts">
            A context gives variables, files and hooks to many stacks: name it in spec.contexts, or give the stack a
            label that one attaches itself by.
          </Empty>
        ) : (
          <Table
            label="Contexts"
            rows={found.contexts}
            id={(c) => c.ref}
            columns={[
              { name: 'Context', width: '30%', cell: (c) => <RefLink to={c.ref} /> },
              { name: 'Why', cell: (c) => whyAttached(c.why) },
              { name: 'Priority', wide: true, right: true, width: 100, cell: (c) => c.priority },
              { name: 'Space', wide: true, width: 160, cell: (c) => c.space },
            ]}
          />
        )}
      </Section>
      <Given variables={found.variables} files={found.files} hooks={found.hooks} from />
    </>
  );
}
