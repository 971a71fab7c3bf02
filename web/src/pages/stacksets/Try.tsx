import { Button, Group, Select, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type SetText, useTrySet } from '../../api/stacksets';
import type { StackSet, StackSetTried } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Empty, Section } from '../../parts/Page';
import { RefLink } from '../../parts/RefLink';
import { State } from '../../parts/State';
import { Table } from '../../parts/Table';
import { triedWords, tryCommand, wouldBe } from './standing';

/** What the set would make and take away if its document said something else. */
export function Try({ set }: { set: StackSet }) {
  const [text, setText] = useState<SetText>({
    folders: set.folders,
    ignore: set.ignore ?? [],
    naming: set.naming,
    removed: set.removed,
  });
  const attempt = useTrySet(set.namespace, set.name);
  const put = (next: Partial<SetText>) => {
    setText((t) => ({ ...t, ...next }));
    attempt.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate(text);
  };
  return (
    <>
      <Section title="If the document said">
        <form onSubmit={submit}>
          <Stack>
            <TagsInput
              label="Folders"
              description="Patterns: * is any name, ** any folders."
              maxTags={50}
              value={text.folders}
              onChange={(folders) => put({ folders })}
            />
            <TagsInput label="But not" maxTags={50} value={text.ignore} onChange={(ignore) => put({ ignore })} />
            <Group align="flex-end" gap="sm">
              <TextInput
                label="Stacks are called"
                maxLength={300}
                style={{ flex: 1, minWidth: 220 }}
                value={text.naming}
                onChange={(e) => put({ naming: e.currentTarget.value })}
              />
              <Select
                label="When a folder is gone"
                w={240}
                allowDeselect={false}
                data={[
                  { value: 'keep', label: 'its stack stays' },
                  { value: 'delete', label: 'its stack goes, once empty' },
                ]}
                value={text.removed}
                onChange={(removed) => put({ removed: removed === 'delete' ? 'delete' : 'keep' })}
              />
              <Button type="submit" loading={attempt.isPending} disabled={text.folders.length === 0}>
                See what would change
              </Button>
              <CopyCommand command={tryCommand(`${set.namespace}/${set.name}`, text)} />
            </Group>
            <Text size="sm" c="dimmed">
              Nothing is changed by it. What you like, write into the set’s document.
            </Text>
            <Failure error={attempt.error} title="It can’t be tried" />
          </Stack>
        </form>
      </Section>
      {attempt.data && <Tried tried={attempt.data} />}
    </>
  );
}

function Tried({ tried }: { tried: StackSetTried }) {
  return (
    <Section title="It would come to" flush>
      <Text p="md" size="sm" role="status">
        {wouldBe(tried)}
      </Text>
      {tried.changes.length === 0 ? (
        <Empty title="Nothing would change">Each folder has the stack that it would have.</Empty>
      ) : (
        <Table
          label="What would change"
          rows={tried.changes}
          id={(f) => `${f.folder} ${f.standing} ${f.stack}`}
          columns={[
            { name: 'What', width: 170, cell: (f) => <State {...triedWords[f.standing]} /> },
            {
              name: 'Folder',
              cell: (f) => (
                <>
                  {f.folder}
                  {f.why && (
                    <Text size="xs" c="dimmed">
                      {f.why}
                    </Text>
                  )}
                </>
              ),
            },
            {
              name: 'Stack',
              width: '28%',
              cell: (f) =>
                f.standing === 'made' ? (f.stack ?? '').replace(/^stack:/, '') : f.stack && <RefLink to={f.stack} />,
            },
          ]}
        />
      )}
    </Section>
  );
}
