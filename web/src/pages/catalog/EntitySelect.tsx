import { Select, TagsInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { choices } from '../../api/queries';
import { shortRef } from '../../words/ref';

interface Props {
  value: string;
  set: (value: string) => void;
}

/** A group or a user. */
export function OwnerSelect(props: Props) {
  return (
    <EntitySelect
      label="Owner"
      placeholder="A group or a user"
      kind="group,user"
      none="Nobody is called like that"
      {...props}
    />
  );
}

export function SystemSelect(props: Props) {
  return (
    <EntitySelect
      label="System"
      placeholder="What it is part of"
      kind="system"
      none="No system is called like that"
      clearable
      {...props}
    />
  );
}

/** An entity of some kinds; what is typed is looked for on the server. */
export function EntitySelect({
  value,
  set,
  kind,
  none,
  ...rest
}: Props & { label: string; placeholder: string; kind: string; none: string; clearable?: boolean }) {
  const [text, setText] = useState('');
  const found = useQuery(choices({ kind, text: text.slice(0, 200) })).data?.items ?? [];
  const several = kind.includes(',');
  const data = found.map((e) => ({
    value: e.ref,
    label: `${e.title || shortRef(e.ref)}${several ? ` (${e.kind.toLowerCase()})` : ''}`,
  }));
  if (value && !data.some((d) => d.value === value)) data.unshift({ value, label: shortRef(value) });
  return (
    <Select
      {...rest}
      searchable
      data={data}
      filter={({ options }) => options}
      value={value || null}
      onSearchChange={(next) => setText(data.some((d) => d.label === next) ? '' : next)}
      onChange={(next) => set(next ?? '')}
      nothingFoundMessage={none}
    />
  );
}

/** Entities of some kinds, by their references: those that are found are offered, and any other may be typed. */
export function EntitiesInput({
  label,
  kind,
  value,
  set,
  whole,
}: {
  label: string;
  kind: string;
  value: string[];
  set: (value: string[]) => void;
  /** The entity that a text names. */
  whole: (text: string) => string;
}) {
  const [text, setText] = useState('');
  const name = text.trim().replace(/^.*[:/]/, '');
  const found = useQuery(choices({ kind, text: name.slice(0, 200) })).data?.items ?? [];
  const had = new Set(value.map(whole));
  return (
    <TagsInput
      label={label}
      placeholder={value.length === 0 ? 'Choose some, or type them' : undefined}
      data={found.map((e) => e.ref).filter((ref) => !had.has(ref))}
      filter={({ options }) => options}
      isDuplicate={(one, all) => all.some((other) => whole(other) === whole(one))}
      searchValue={text}
      onSearchChange={setText}
      value={value}
      onChange={set}
    />
  );
}
