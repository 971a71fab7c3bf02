import { Code, Stack, Text } from '@mantine/core';
import type { SetFile, SetHook, SetVariable } from '../../api/types';
import { Empty, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { type Column, Table } from '../../parts/Table';
import { bytes } from '../../words/time';
import { byPhase } from './order';

interface Props {
  variables: SetVariable[];
  files: SetFile[];
  hooks: SetHook[];
  /** Says where each is from. */
  from?: boolean;
}

/** What steps are given: variables, files and hooks. */
export function Given({ variables, files, hooks, from }: Props) {
  return (
    <>
      <Section title="Variables" flush>
        {variables.length === 0 ? (
          <Empty title="No variables">
            A variable whose name begins with TF_VAR_ is an input of the configuration.
          </Empty>
        ) : (
          <Table
            label="Variables"
            rows={variables}
            id={(v) => v.name}
            columns={[
              { name: 'Name', width: '30%', cell: (v) => <Code>{v.name}</Code> },
              { name: 'Value', cell: (v) => <Value text={v.value} {...v} /> },
              ...origin<SetVariable>(from),
            ]}
          />
        )}
      </Section>
      <Section title="Files" flush>
        {files.length === 0 ? (
          <Empty title="No files">A file lies in the workspace of each step; below source/ is the repository.</Empty>
        ) : (
          <Table
            label="Files"
            rows={files}
            id={(f) => f.path}
            columns={[
              { name: 'Path', width: '30%', cell: (f) => <Code>{f.path}</Code> },
              {
                name: 'Content',
                cell: (f) =>
                  f.secretRef ? (
                    <Value text="" {...f} />
                  ) : f.content ? (
                    <details>
                      <summary>{bytes(f.size)}</summary>
                      <Code block mah={320} style={{ overflow: 'auto' }}>
                        {f.content}
                      </Code>
                    </details>
                  ) : (
                    bytes(f.size)
                  ),
              },
              ...origin<SetFile>(from),
            ]}
          />
        )}
      </Section>
      <Section title="Hooks" flush={hooks.length === 0}>
        {hooks.length === 0 ? (
          <Empty title="No hooks">Commands that run before or after a phase, in one shell with it.</Empty>
        ) : (
          <Stack gap="md">
            {byPhase(hooks).map((group) => (
              <Stack key={group.phase} gap={6}>
                <Text component="h3" fw={600} size="sm">
                  {group.title}
                </Text>
                <Stack component="ol" gap={6} m={0} pl="lg">
                  {group.hooks.map((hook, i) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: the same command may be there twice, and none moves
                    <li key={i}>
                      <Code block>{hook.command}</Code>
                      {from && hook.from && (
                        <Text size="xs" c="dimmed">
                          from <Origin from={hook.from} />
                        </Text>
                      )}
                    </li>
                  ))}
                </Stack>
              </Stack>
            ))}
          </Stack>
        )}
      </Section>
    </>
  );
}

function Value({ text, secretRef, checksum }: { text: string; secretRef?: string; checksum?: string }) {
  if (!secretRef) return <Code style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{text}</Code>;
  return (
    <span>
      secret {secretRef}
      {checksum && (
        <>
          {' '}
          <Text span size="xs" c="dimmed" title="Equal for equal values of this secret" ff="monospace">
            {checksum.slice(0, 12)}
          </Text>
        </>
      )}
    </span>
  );
}

function origin<T extends { from?: string; over?: string[] }>(shown?: boolean): Column<T>[] {
  if (!shown) return [];
  return [
    {
      name: 'From',
      wide: true,
      width: '25%',
      cell: (row) => (
        <>
          <Origin from={row.from ?? ''} />
          {(row.over ?? []).length > 0 && (
            <Text size="xs" c="dimmed">
              in the place of{' '}
              {(row.over ?? []).map((from, i) => (
                <span key={from}>
                  {i > 0 && ', '}
                  <Origin from={from} />
                </span>
              ))}
            </Text>
          )}
        </>
      ),
    },
  ];
}

function Origin({ from }: { from: string }) {
  return from.startsWith('context:') ? <RefLink to={from} /> : from;
}
