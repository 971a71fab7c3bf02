import { Button, Checkbox, Group, Modal, Select, Stack, TagsInput, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type Edit, useEdit, usePreviewEdit } from '../../api/editing';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { Deeds } from './Deeds';
import { OwnerSelect, SystemSelect } from './EntitySelect';

export type What = 'owner' | 'lifecycle' | 'system' | 'addTags' | 'removeTags';

const whats: { value: What; label: string }[] = [
  { value: 'owner', label: 'Change the owner' },
  { value: 'lifecycle', label: 'Change the lifecycle' },
  { value: 'system', label: 'Change the system' },
  { value: 'addTags', label: 'Add tags' },
  { value: 'removeTags', label: 'Remove tags' },
];

/** Changes one thing of many entities: first it tells what it will do, then it does it. */
export function BulkEdit({ refs, begin = 'owner', close }: { refs: string[]; begin?: What; close: () => void }) {
  const [what, setWhat] = useState<What>(begin);
  const [text, setText] = useState('');
  const [tags, setTags] = useState<string[]>([]);
  const [message, setMessage] = useState('');
  const [propose, setPropose] = useState(false);
  const preview = usePreviewEdit();
  const edit = useEdit();
  const listed = what === 'addTags' || what === 'removeTags';
  const set: Edit['set'] = listed ? { [what]: tags } : { [what]: text.trim() };
  const ready = listed ? tags.length > 0 : text.trim() !== '';
  const asked: Edit = { refs, set, message, propose };
  const changed = () => preview.reset();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (preview.data) edit.mutate({ edit: asked });
    else preview.mutate(asked);
  };
  const flag = {
    owner: 'owner',
    lifecycle: 'lifecycle',
    system: 'system',
    addTags: 'add-tags',
    removeTags: 'remove-tags',
  }[what];
  const command = `roadbed edit ${refs.join(' ')} --${flag} '${listed ? tags.join(',') : text}'${propose ? ' --propose' : ''}`;
  return (
    <Modal
      opened
      onClose={close}
      size="lg"
      title={`Change ${refs.length} ${refs.length === 1 ? 'entity' : 'entities'}`}
    >
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
            <Select
              label="What"
              data={whats}
              value={what}
              allowDeselect={false}
              onChange={(value) => {
                setWhat((value ?? 'owner') as What);
                setText('');
                changed();
              }}
            />
            {what === 'owner' && (
              <OwnerSelect
                value={text}
                set={(value) => {
                  setText(value);
                  changed();
                }}
              />
            )}
            {what === 'system' && (
              <SystemSelect
                value={text}
                set={(value) => {
                  setText(value);
                  changed();
                }}
              />
            )}
            {what === 'lifecycle' && (
              <TextInput
                label="Lifecycle"
                placeholder="production"
                value={text}
                onChange={(e) => {
                  setText(e.currentTarget.value);
                  changed();
                }}
              />
            )}
            {listed && (
              <TagsInput
                label="Tags"
                placeholder="Type a tag, then Enter"
                value={tags}
                onChange={(value) => {
                  setTags(value);
                  changed();
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
              label="Open proposals, also where I may push"
              checked={propose}
              onChange={(e) => {
                setPropose(e.currentTarget.checked);
                changed();
              }}
            />
            <Failure error={preview.error ?? edit.error} />
            {preview.data && <Deeds edited={preview.data} />}
            <Group justify="flex-end" gap="xs">
              <CopyCommand command={command} />
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button
                type="submit"
                loading={preview.isPending || edit.isPending}
                disabled={!ready || preview.data?.deeds.length === 0}
              >
                {preview.data ? 'Do it' : 'Show what it will do'}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
