import { Select } from '@mantine/core';
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
function EntitySelect({
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
