import { ActionIcon, Button, Group, SimpleGrid, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { Entity } from '../../api/types';
import { EntitiesInput, EntitySelect, OwnerSelect, SystemSelect } from '../catalog/EntitySelect';
import type { Fields } from './edit';
import { inSystem, named, type RelationField, relationFields } from './relations';

/** The fields of an entity that have inputs of their own. */
export function EditFields({
  entity,
  fields,
  set,
}: {
  entity: Entity;
  fields: Fields;
  set: (next: Partial<Fields>) => void;
}) {
  const relations = relationFields(entity.kind, entity.type).filter((field) => fields.relations[field.name]);
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
        {inSystem.has(entity.kind) && <SystemSelect value={fields.system} set={(system) => set({ system })} />}
      </Group>
      <TagsInput
        label="Tags"
        value={fields.tags}
        onChange={(tags) => set({ tags })}
        placeholder="Type a tag, then Enter"
      />
      {relations.length > 0 && (
        <SimpleGrid cols={{ base: 1, sm: relations.length > 1 ? 2 : 1 }}>
          {relations.map((field) => (
            <Relation
              key={field.name}
              field={field}
              namespace={entity.namespace}
              value={fields.relations[field.name] ?? []}
              set={(names) => set({ relations: { ...fields.relations, [field.name]: names } })}
            />
          ))}
        </SimpleGrid>
      )}
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

function Relation({
  field,
  namespace,
  value,
  set,
}: {
  field: RelationField;
  namespace: string;
  value: string[];
  set: (names: string[]) => void;
}) {
  const whole = (text: string) => named(text, field, namespace);
  if (field.many) return <EntitiesInput label={field.label} kind={field.kinds} value={value} set={set} whole={whole} />;
  return (
    <EntitySelect
      label={field.label}
      placeholder={`A ${field.kinds}`}
      kind={field.kinds}
      none={`No ${field.kinds} is called like that`}
      clearable
      value={value[0] ? whole(value[0]) : ''}
      set={(ref) => set(ref ? [ref] : [])}
    />
  );
}
