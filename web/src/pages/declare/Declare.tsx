import { Alert, Button, Group, Select, Stack, Text, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useDeclare } from '../../api/actions';
import { spaces } from '../../api/queries';
import { CopyCommand } from '../../parts/CopyCommand';
import { Diff } from '../../parts/Diff';
import { Failure } from '../../parts/Failure';
import { Page, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';

const example = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shop
spec:
  type: service
  lifecycle: production
  owner: group:default/platform
`;

/** Declares documents of any kind: first what would change is shown, then it is done, all of it or nothing. */
export function Declare() {
  const [documents, setDocuments] = useState('');
  const [space, setSpace] = useState('default');
  const known = useQuery(spaces);
  const preview = useDeclare(true);
  const apply = useDeclare(false);
  const given = { documents, space };
  const busy = preview.isPending || apply.isPending;
  const shown = apply.data ?? preview.data;
  const changes = shown?.items.filter((i) => i.action !== 'unchanged') ?? [];
  const change = (text: string) => {
    setDocuments(text);
    preview.reset();
    apply.reset();
  };
  const look = () => {
    apply.reset();
    preview.mutate(given);
  };
  return (
    <Page
      title="Declare documents"
      about="Components, users, stacks, applications, policies: everything here is a document. All of them are taken in, or none."
      actions={<CopyCommand command={`roadbed apply --space ${space} -f documents.yaml`} />}
    >
      <Section>
        <Stack>
          <Textarea
            label="Documents"
            description="YAML or JSON; several are divided by ---"
            placeholder={example}
            autosize
            minRows={10}
            maxRows={28}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
            value={documents}
            onChange={(e) => change(e.currentTarget.value)}
          />
          <Group align="flex-end" justify="space-between">
            <Select
              label="Space"
              description="Rights and policies come from it"
              data={known.data?.items.map((s) => s.name) ?? ['default']}
              value={space}
              allowDeselect={false}
              searchable
              onChange={(value) => {
                setSpace(value ?? 'default');
                preview.reset();
                apply.reset();
              }}
            />
            <Group gap="xs">
              <Button
                variant="default"
                disabled={documents.trim() === '' || busy}
                loading={preview.isPending}
                onClick={look}
              >
                Show what would change
              </Button>
              <Button
                disabled={!preview.data || Boolean(apply.data) || busy}
                loading={apply.isPending}
                onClick={() => apply.mutate(given)}
              >
                Apply
              </Button>
            </Group>
          </Group>
        </Stack>
      </Section>
      <Failure error={apply.error ?? preview.error} title="Nothing was changed" />
      {shown && (
        <Alert color={apply.data ? 'green' : 'gray'} variant="light" role="status">
          {apply.data ? 'Done: ' : 'Would be done: '}
          {changes.length === 0
            ? 'nothing changes; all of it is declared so already.'
            : `${changes.length} of ${shown.items.length} ${apply.data ? 'changed' : 'would change'}.`}
        </Alert>
      )}
      {shown?.items.map((item) => (
        <Section
          key={item.ref}
          title={`${item.action} ${item.ref}`}
          actions={apply.data && item.action !== 'deleted' ? <RefLink to={item.ref} /> : undefined}
          flush={Boolean(item.diff)}
        >
          {item.diff ? (
            <Diff text={item.diff} label={`Changes of ${item.ref}`} />
          ) : (
            <Text size="sm" c="dimmed">
              Nothing changes.
            </Text>
          )}
        </Section>
      ))}
    </Page>
  );
}
