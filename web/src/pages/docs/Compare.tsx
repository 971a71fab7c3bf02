import { Alert, Badge, Group, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { definitionChanges } from '../../api/docs';
import { Failure } from '../../parts/Failure';
import { Empty, Rows, Section } from '../../parts/Page';
import { Table } from '../../parts/Table';
import { shortCommit } from '../../words/ref';

interface Props {
  path: { kind: string; namespace: string; name: string };
  version: number;
  /** The version is one of the past. */
  past: boolean;
}

/** What changed in the definition of an API between two versions, branches or commits. */
export function Compare({ path, version, past }: Props) {
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [askedFrom] = useDebouncedValue(from.trim(), 300);
  const [askedTo] = useDebouncedValue(to.trim(), 300);
  const query = useQuery(
    definitionChanges(path, askedFrom || undefined, askedTo || (past ? String(version) : undefined)),
  );
  const c = query.data;
  return (
    <Section title="Changes" flush>
      <Group p="md" gap="md" align="end">
        <TextInput
          label="From"
          placeholder="the last that differs"
          value={from}
          onChange={(e) => setFrom(e.currentTarget.value)}
        />
        <TextInput
          label="To"
          placeholder={`${past ? 'then' : 'now'}, version ${version}`}
          description="A version's number, a branch, a tag or a commit"
          inputWrapperOrder={['label', 'input', 'description']}
          value={to}
          onChange={(e) => setTo(e.currentTarget.value)}
        />
      </Group>
      {query.error && <Failure error={query.error} />}
      {query.isPending && <Rows count={3} />}
      {c && !query.error && (
        <>
          {c.breaking > 0 && (
            <Alert color="red" variant="light" m="md" mt={0}>
              {c.breaking === 1 ? '1 change breaks' : `${c.breaking} changes break`} who uses the API as it was at{' '}
              {shortCommit(c.from.at)}.
            </Alert>
          )}
          {c.changes.length === 0 ? (
            <Empty title="Nothing changed">
              {c.older
                ? 'The last versions have the same definition; older ones were not looked at. Name one to compare with it.'
                : `From ${shortCommit(c.from.at)} to ${shortCommit(c.to.at)} the definition says the same.`}
            </Empty>
          ) : (
            <Table
              label="Changes"
              rows={c.changes.map((change, i) => ({ ...change, id: String(i) }))}
              id={(change) => change.id}
              columns={[
                { name: 'Where', width: '40%', cell: (x) => x.where },
                { name: 'What', cell: (x) => x.message },
                {
                  name: 'Effect',
                  width: 110,
                  cell: (x) =>
                    x.breaking ? (
                      <Badge color="red" variant="light" tt="none">
                        breaks
                      </Badge>
                    ) : (
                      'fine'
                    ),
                },
              ]}
            />
          )}
        </>
      )}
    </Section>
  );
}
