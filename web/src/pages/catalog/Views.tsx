import { Button, Group, Menu, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconBookmark, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useDeleteView, useSaveView, useUpdateView } from '../../api/editing';
import { spaces, views } from '../../api/queries';
import type { View } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import type { CatalogSearch } from './filter';
import { opened, openView, viewQuery } from './filter';

interface Props {
  search: CatalogSearch;
  /** The same with the columns that are shown, as a view keeps them. */
  shown: CatalogSearch;
  go: (search: CatalogSearch) => void;
}

/** The saved lists, saving this one, and changing the one that is open. */
export function Views({ search, shown, go }: Props) {
  const all = useQuery(views).data ?? [];
  const remove = useDeleteView();
  const update = useUpdateView();
  const [saving, setSaving] = useState(false);
  const { view: current, changed } = openView(all, search);
  const goTo = (saved: View) => go({ ...opened(saved), asOf: search.asOf });
  const change = (view: View) => update.mutate({ view, query: viewQuery(search) }, { onSuccess: goTo });
  return (
    <>
      <Menu position="bottom-end" width={300}>
        <Menu.Target>
          <Button variant="default" leftSection={<IconBookmark size={15} aria-hidden />} loading={update.isPending}>
            {current ? `${current.name}${changed ? ', changed' : ''}` : 'Views'}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {all.length === 0 && (
            <Text size="sm" c="dimmed" p="xs">
              A view keeps the filters, the order and the columns of a list under a name.
            </Text>
          )}
          {all.map((v) => (
            <Group key={v.id} gap={0} wrap="nowrap">
              <Menu.Item style={{ flex: 1 }} fw={v === current ? 600 : undefined} onClick={() => go(opened(v))}>
                {v.name}
                {v.space && (
                  <Text span size="xs" c="dimmed">
                    {' '}
                    in {v.space}, by {v.author.name}
                  </Text>
                )}
              </Menu.Item>
              <Menu.Item
                style={{ flex: 'none' }}
                w="auto"
                c="dimmed"
                closeMenuOnClick={false}
                aria-label={`Delete the view ${v.name}`}
                onClick={() => remove.mutate(v.id)}
              >
                <IconTrash size={15} aria-hidden />
              </Menu.Item>
            </Group>
          ))}
          <Menu.Divider />
          {current && changed && (
            <>
              <Menu.Item onClick={() => change(current)}>Save changes to “{current.name}”</Menu.Item>
              <Menu.Item onClick={() => go(opened(current))}>Back to how it was saved</Menu.Item>
            </>
          )}
          <Menu.Item onClick={() => setSaving(true)}>Save this list…</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {saving && (
        <SaveView
          query={viewQuery(shown)}
          saved={(view) => {
            setSaving(false);
            goTo(view);
          }}
          close={() => setSaving(false)}
        />
      )}
      <Failure error={remove.error ?? update.error} />
    </>
  );
}

function SaveView({ query, saved, close }: { query: string; saved: (view: View) => void; close: () => void }) {
  const [name, setName] = useState('');
  const [space, setSpace] = useState<string | null>(null);
  const save = useSaveView();
  const offered = useQuery(spaces).data?.items ?? [];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name: name.trim(), query, space: space ?? undefined }, { onSuccess: saved });
  };
  return (
    <Modal opened onClose={close} title="Save this list" centered>
      <form onSubmit={submit}>
        <Stack>
          <TextInput
            label="Name"
            value={name}
            maxLength={100}
            data-autofocus
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <Select
            label="Share it with a space"
            description="All who may read there see it; who may write there changes it."
            placeholder="Only for me"
            clearable
            data={offered.map((s) => s.name)}
            value={space}
            onChange={setSpace}
          />
          <Text size="sm" c="dimmed">
            It keeps the filters, the order and the columns as they are now.
          </Text>
          <Failure error={save.error} />
          <Group justify="flex-end" gap="xs">
            <CopyCommand command={`roadbed view save '${name}' '${query}'${space ? ` --space ${space}` : ''}`} />
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
