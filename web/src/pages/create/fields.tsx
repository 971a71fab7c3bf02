import { Autocomplete, Fieldset, Group, MultiSelect, Select, TagsInput, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { FieldProps, RegistryFieldsType } from '@rjsf/utils';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { choices, type EntityFilter, me } from '../../api/queries';
import { completed, filtersOf, type PickerOptions, readRepoUrl, texts, writeRepoUrl } from './pickers';

const optionsOf = (props: FieldProps) => (props.uiSchema?.['ui:options'] ?? {}) as PickerOptions;

/** What every input of these fields is told of its field. */
function about(props: FieldProps) {
  return {
    id: props.fieldPathId.$id,
    label: props.schema.title ?? props.name,
    description: props.schema.description,
    required: props.required,
    disabled: props.disabled || props.readonly,
    autoFocus: props.autofocus,
    error: props.rawErrors?.join('; '),
  };
}

/** The references of what the catalog has for any of the filters and a text. */
function useChoices(filters: EntityFilter[], text: string): string[] {
  const [sought] = useDebouncedValue(text.trim(), 150);
  const whole = sought.includes(':') ? undefined : sought || undefined; // a whole reference is no word of a name
  return useQueries({
    queries: filters.map((filter) => choices({ ...filter, text: whole })),
    combine: (asked) => [...new Set(asked.flatMap(({ data }) => data?.items.map((e) => e.ref) ?? []))],
  });
}

const as = (filters: EntityFilter[]) => filters.map((f) => f.kind?.split(',').join(' or ') ?? 'entity').join(' or ');

/** A reference to an entity, chosen from the catalog; another one may be typed, unless the template forbids it. */
function One({ props, filters, options }: { props: FieldProps; filters: EntityFilter[]; options: PickerOptions }) {
  const text = typeof props.formData === 'string' ? props.formData : '';
  const [typed, setTyped] = useState('');
  const set = (value: string | null) => props.onChange(value || undefined, props.fieldPathId.path);
  const strict = options.allowArbitraryValues === false;
  const found = useChoices(filters, strict ? typed : text);
  const common = { ...about(props), placeholder: `Choose a ${as(filters)}`, limit: 50 };
  if (strict) {
    return (
      <Select
        {...common}
        data={text && !found.includes(text) ? [text, ...found] : found}
        filter={({ options: given }) => given}
        searchable
        clearable={!props.required}
        nothingFoundMessage={`No ${as(filters)} is like that`}
        searchValue={typed}
        onSearchChange={setTyped}
        value={text || null}
        onChange={set}
      />
    );
  }
  return (
    <Autocomplete
      {...common}
      data={found}
      filter={({ options: given }) => given}
      value={text}
      onChange={set}
      onBlur={() => text && set(completed(text, options))}
    />
  );
}

/** References to entities. */
function Many({ props, filters, options }: { props: FieldProps; filters: EntityFilter[]; options: PickerOptions }) {
  const value = Array.isArray(props.formData) ? props.formData.map(String) : [];
  const [typed, setTyped] = useState('');
  const found = useChoices(filters, typed);
  const set = (next: string[]) => props.onChange(next.length > 0 ? next : undefined, props.fieldPathId.path);
  const common = {
    ...about(props),
    placeholder: value.length === 0 ? `Choose several, or type them` : undefined,
    limit: 50,
    searchValue: typed,
    onSearchChange: setTyped,
    value,
  };
  if (options.allowArbitraryValues === false) {
    return (
      <MultiSelect
        {...common}
        data={[...new Set([...value, ...found])]}
        searchable
        maxValues={props.schema.maxItems}
        onChange={set}
      />
    );
  }
  return (
    <TagsInput
      {...common}
      data={found}
      maxTags={props.schema.maxItems}
      onChange={(next) => set([...new Set(next.map((one) => completed(one, options)))])}
    />
  );
}

function OwnerPicker(props: FieldProps) {
  const options = { defaultKind: 'Group', ...optionsOf(props) };
  return <One props={props} options={options} filters={filtersOf(options, ['Group', 'User'])} />;
}

function EntityPicker(props: FieldProps) {
  const options = optionsOf(props);
  return <One props={props} options={options} filters={filtersOf(options)} />;
}

/** How many owners are asked for: the person and their first groups. */
const mostOwners = 10;

function OwnedEntityPicker(props: FieldProps) {
  const who = useQuery(me).data;
  const owners = who ? [who.ref, ...who.groups].slice(0, mostOwners) : [];
  const options = optionsOf(props);
  const filters = filtersOf(options).flatMap((filter) => owners.map((owner) => ({ ...filter, owner })));
  return <One props={props} options={options} filters={filters} />;
}

function MultiEntityPicker(props: FieldProps) {
  const options = optionsOf(props);
  return <Many props={props} options={options} filters={filtersOf(options)} />;
}

function MyGroupsPicker(props: FieldProps) {
  const groups = useQuery(me).data?.groups ?? [];
  return (
    <Select
      {...about(props)}
      data={groups}
      nothingFoundMessage="You are in no group"
      searchable
      value={typeof props.formData === 'string' ? props.formData : null}
      onChange={(value) => props.onChange(value ?? undefined, props.fieldPathId.path)}
    />
  );
}

function EntityTagsPicker(props: FieldProps) {
  return (
    <TagsInput
      {...about(props)}
      value={Array.isArray(props.formData) ? props.formData.map(String) : []}
      onChange={(next) =>
        props.onChange(
          next.map((tag) => tag.toLowerCase()),
          props.fieldPathId.path,
        )
      }
    />
  );
}

/** This installation's own git, as actions name it. */
const own = 'roadbed';

/** Where a repository is to be: HOST?owner=NAMESPACE&repo=NAME, by its parts. */
function RepoUrlPicker(props: FieldProps) {
  const options = optionsOf(props);
  const [allowedOwners, allowedRepos] = [texts(options.allowedOwners), texts(options.allowedRepos)];
  const allowedHosts = texts(options.allowedHosts);
  const hosts = allowedHosts.length > 0 ? allowedHosts : [own];
  const [parts, setParts] = useState(() => {
    const given = readRepoUrl(props.formData);
    return {
      host: given.host || (hosts[0] as string),
      owner: given.owner || (allowedOwners.length === 1 ? (allowedOwners[0] as string) : ''),
      repo: given.repo || (allowedRepos.length === 1 ? (allowedRepos[0] as string) : ''),
    };
  });
  const set = (next: Partial<typeof parts>) => {
    const now = { ...parts, ...next };
    setParts(now);
    props.onChange(writeRepoUrl(now), props.fieldPathId.path);
  };
  const { id, label, description, required, disabled, autoFocus, error } = about(props);
  const part = (name: 'owner' | 'repo', title: string, allowed: string[]) => {
    const common = { label: title, required, disabled, style: { flex: '1 1 160px' }, id: `${id}_${name}` };
    return allowed.length > 0 ? (
      <Select {...common} data={allowed} value={parts[name] || null} onChange={(v) => set({ [name]: v ?? '' })} />
    ) : (
      <TextInput
        {...common}
        autoFocus={autoFocus && name === 'owner'}
        value={parts[name]}
        error={error && !parts[name] ? 'is needed' : undefined}
        onChange={(e) => set({ [name]: e.currentTarget.value })}
      />
    );
  };
  return (
    <Fieldset legend={label}>
      {description && <p style={{ margin: '0 0 8px', fontSize: 12, color: 'var(--quiet)' }}>{description}</p>}
      <Group gap="sm" align="flex-start">
        <Select
          label="Host"
          id={`${id}_host`}
          style={{ flex: '1 1 160px' }}
          data={hosts.includes(parts.host) ? hosts : [parts.host, ...hosts]}
          disabled={disabled}
          allowDeselect={false}
          value={parts.host}
          onChange={(host) => set({ host: host ?? parts.host })}
        />
        {part('owner', 'Owner', allowedOwners)}
        {part('repo', 'Repository', allowedRepos)}
      </Group>
    </Fieldset>
  );
}

export const fields: RegistryFieldsType = {
  OwnerPicker,
  EntityPicker,
  OwnedEntityPicker,
  MultiEntityPicker,
  MyGroupsPicker,
  EntityTagsPicker,
  RepoUrlPicker,
};
