import {
  ActionIcon,
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  SegmentedControl,
  Stack,
  TagsInput,
  Textarea,
  TextInput,
} from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { type Edit, useEdit, usePreviewEdit } from '../../api/editing';
import type { Entity } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { toYAML } from '../../words/yaml';
import { Deeds } from '../catalog/Deeds';
import { OwnerSelect, SystemSelect } from '../catalog/EntitySelect';
import { changedFields, type Fields, fieldsOf } from './edit';

/** Edits what is declared of an entity: fields, or its whole document. It is shown what it will do before it is done. */
export default function EditEntity({ entity, close }: { entity: Entity; close: () => void }) {
  const [begun] = useState(() => fieldsOf(entity));
  const [fields, setFields] = useState<Fields>(begun);
  const [text, setText] = useState(() => toYAML(entity.document));
  const [look, setLook] = useState('form');
  const [message, setMessage] = useState('');
  const [propose, setPropose] = useState(false);
  const preview = usePreviewEdit();
  const edit = useEdit();
  const set = (next: Partial<Fields>) => {
    setFields({ ...fields, ...next });
    preview.reset();
  };
  const changes = changedFields(begun, fields);
  const ready = look === 'yaml' ? text !== toYAML(entity.document) : Object.keys(changes).length > 0;
  const asked: Edit = {
    refs: [entity.ref],
    message,
    propose,
    ...(look === 'yaml' ? { document: text } : { set: changes }),
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (preview.data) edit.mutate({ edit: asked, etag: entity.etag });
    else preview.mutate(asked);
  };
  return (
    <Modal opened onClose={close} size="xl" title={`Edit ${entity.title || entity.name}`}>
      {edit.data ? (
        <Stack>
          <Deeds edited={edit.data} done />
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <SegmentedControl
              aria-label="How"
              value={look}
              onChange={(value) => {
                setLook(value);
                preview.reset();
              }}
              data={[
                { value: 'form', label: 'Form' },
                { value: 'yaml', label: 'Document' },
              ]}
            />
            {entity.error && (
              <Alert color="yellow" variant="light" title="Its source’s newest version could not be taken in">
                An edit changes the file as it is there now.
              </Alert>
            )}
            {look === 'form' ? (
              <Form fields={fields} set={set} inSystem={inSystem.has(entity.kind)} />
            ) : (
              <Textarea
                label="Document"
                description="Of a file this replaces the whole document, with its comments; the form keeps them."
                autosize
                minRows={12}
                maxRows={26}
                value={text}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
                onChange={(e) => {
                  setText(e.currentTarget.value);
                  preview.reset();
                }}
              />
            )}
            <TextInput
              label="Message of the commit"
              placeholder="Why it changes"
              value={message}
              onChange={(e) => setMessage(e.currentTarget.value)}
            />
            <Checkbox
              label="Open a proposal, also where I may push"
              checked={propose}
              onChange={(e) => {
                setPropose(e.currentTarget.checked);
                preview.reset();
              }}
            />
            <Failure error={preview.error ?? edit.error} />
            {preview.data && <Deeds edited={preview.data} />}
            <Group justify="flex-end" gap="xs">
              <CopyCommand command={command(entity.ref, look, changes)} />
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button
                type="submit"
                loading={preview.isPending || edit.isPending}
                disabled={!ready || preview.data?.deeds.length === 0}
              >
                {preview.data ? 'Save' : 'Show what it will do'}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

/** The kinds that are part of a system by a field of theirs. */
const inSystem = new Set(['Component', 'API', 'Resource']);

function Form({
  fields,
  set,
  inSystem: part,
}: {
  fields: Fields;
  set: (next: Partial<Fields>) => void;
  inSystem: boolean;
}) {
  const link = (i: number, next: Partial<Fields['links'][number]>) =>
    set({ links: fields.links.map((l, at) => (at === i ? { ...l, ...next } : l)) });
  return (
    <>
      <TextInput label="Title" value={fields.title} onChange={(e) => set({ title: e.currentTarget.value })} />
      <Textarea
        label="Description"
        autosize
        minRows={2}
        maxRows={8}
        value={fields.description}
        onChange={(e) => set({ description: e.currentTarget.value })}
      />
      <Group grow align="flex-start">
        <OwnerSelect value={fields.owner} set={(owner) => set({ owner })} />
        <TextInput
          label="Lifecycle"
          value={fields.lifecycle}
          onChange={(e) => set({ lifecycle: e.currentTarget.value })}
        />
        {part && <SystemSelect value={fields.system} set={(system) => set({ system })} />}
      </Group>
      <TagsInput
        label="Tags"
        value={fields.tags}
        onChange={(tags) => set({ tags })}
        placeholder="Type a tag, then Enter"
      />
      <Stack gap={6}>
        {fields.links.map((l, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: links have no name of their own
          <Group key={i} gap="xs" wrap="nowrap">
            <TextInput
              aria-label={`Address of link ${i + 1}`}
              placeholder="https://…"
              style={{ flex: 2 }}
              value={l.url}
              onChange={(e) => link(i, { url: e.currentTarget.value })}
            />
            <TextInput
              aria-label={`Title of link ${i + 1}`}
              placeholder="Title"
              style={{ flex: 1 }}
              value={l.title ?? ''}
              onChange={(e) => link(i, { title: e.currentTarget.value })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`Remove link ${i + 1}`}
              onClick={() => set({ links: fields.links.filter((_, at) => at !== i) })}
            >
              <IconTrash size={15} aria-hidden />
            </ActionIcon>
          </Group>
        ))}
        <Button
          variant="subtle"
          size="compact-sm"
          style={{ alignSelf: 'flex-start' }}
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => set({ links: [...fields.links, { url: '' }] })}
        >
          Add a link
        </Button>
      </Stack>
    </>
  );
}

const flags: [keyof NonNullable<Edit['set']>, string][] = [
  ['title', 'title'],
  ['description', 'description'],
  ['owner', 'owner'],
  ['lifecycle', 'lifecycle'],
  ['system', 'system'],
  ['tags', 'tags'],
];

function command(ref: string, look: string, changes: NonNullable<Edit['set']>): string {
  if (look === 'yaml') return `roadbed edit ${ref} -f document.yaml`;
  const words = [`roadbed edit ${ref}`];
  for (const [name, flag] of flags) {
    const value = changes[name];
    if (value !== undefined) words.push(`--${flag} '${String(value).replaceAll("'", "'\\''")}'`);
  }
  return words.join(' ');
}
