import { Code, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { ModulePart } from '../../api/types';
import { Section } from '../../parts/Page';
import { Table } from '../../parts/Table';

const MarkdownText = lazy(() => import('../../parts/Markdown'));

/** What the files of a version declare: its README, what it takes, gives and needs. */
export function Declared({ content, submodules }: { content: ModulePart; submodules: ModulePart[] }) {
  return (
    <>
      {content.readme && (
        <Section title="README">
          <Suspense>
            <MarkdownText text={content.readme} />
          </Suspense>
        </Section>
      )}
      <Part part={content} prefix="" />
      {submodules.map((p) => (
        <Part key={p.path} part={p} prefix={`${p.path}: `} />
      ))}
    </>
  );
}

function Part({ part, prefix }: { part: ModulePart; prefix: string }) {
  const needs = [
    ...part.providers.map((p) => ({ ...p, what: 'provider' })),
    ...part.calls.map((c) => ({ ...c, what: 'module' })),
  ];
  return (
    <>
      {part.inputs.length > 0 && (
        <Section title={`${prefix}Inputs`} flush>
          <Table
            label={`${prefix}Inputs`}
            rows={part.inputs}
            id={(i) => i.name}
            columns={[
              {
                name: 'Name',
                cell: (i) => (
                  <>
                    <Code>{i.name}</Code>
                    {i.sensitive && (
                      <Text span size="xs" c="dimmed">
                        {' '}
                        sensitive
                      </Text>
                    )}
                  </>
                ),
              },
              { name: 'Type', wide: true, cell: (i) => <Code>{i.type || 'any'}</Code> },
              { name: 'Default', width: 160, cell: (i) => (i.default ? <Code>{i.default}</Code> : 'required') },
              { name: 'Description', wide: true, cell: (i) => i.description },
            ]}
          />
        </Section>
      )}
      {part.outputs.length > 0 && (
        <Section title={`${prefix}Outputs`} flush>
          <Table
            label={`${prefix}Outputs`}
            rows={part.outputs}
            id={(o) => o.name}
            columns={[
              { name: 'Name', cell: (o) => <Code>{o.name}</Code> },
              { name: 'Description', cell: (o) => o.description },
              { name: 'Sensitive', width: 110, wide: true, cell: (o) => (o.sensitive ? 'yes' : '') },
            ]}
          />
        </Section>
      )}
      {needs.length > 0 && (
        <Section title={`${prefix}Needs`} flush>
          <Table
            label={`${prefix}Needs`}
            rows={needs}
            id={(n) => `${n.what} ${n.name}`}
            columns={[
              { name: 'What', width: 110, cell: (n) => n.what },
              { name: 'Name', cell: (n) => <Code>{n.name}</Code> },
              { name: 'Source', wide: true, cell: (n) => n.source },
              { name: 'Version', width: 140, cell: (n) => n.version || 'any' },
            ]}
          />
        </Section>
      )}
    </>
  );
}
