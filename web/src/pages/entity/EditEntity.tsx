import { Alert, Button, Checkbox, Group, Modal, SegmentedControl, Stack, Textarea, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type Edit, useEdit, usePreviewEdit } from '../../api/editing';
import type { Entity } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { toYAML } from '../../words/yaml';
import { Deeds } from '../catalog/Deeds';
import { EditFields } from './EditFields';
import { changedFields, editCommand, type Fields, fieldsOf } from './edit';

interface Props {
  entity: Entity;
  /** The document to begin with, where it was changed elsewhere. */
  begin?: string;
  close: () => void;
}

/** Edits what is declared of an entity: fields, or its whole document. It is shown what it will do before it is done. */
export default function EditEntity({ entity: now, begin, close }: Props) {
  const [entity] = useState(now); // it may change while it is edited; an edit is of what was seen
  const [begun] = useState(() => fieldsOf(entity));
  const [fields, setFields] = useState<Fields>(begun);
  const [text, setText] = useState(() => begin ?? toYAML(entity.document));
  const [look, setLook] = useState(begin === undefined ? 'form' : 'yaml');
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
              <EditFields entity={entity} fields={fields} set={set} />
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
              <CopyCommand
                command={
                  look === 'yaml' ? `roadbed edit ${entity.ref} -f document.yaml` : editCommand(entity.ref, changes)
                }
              />
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
