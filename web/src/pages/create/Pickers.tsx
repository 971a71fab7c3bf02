import { Autocomplete } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import type { FieldProps } from '@rjsf/utils';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { entities } from '../../api/queries';

/** The kinds that a picker's catalogFilter allows: {kind: X}, {kind: [X, Y]}, or a list of such. */
function kindsOf(options: unknown, otherwise: string[]): string[] {
  const o = (options ?? {}) as { catalogFilter?: unknown; allowedKinds?: unknown };
  if (Array.isArray(o.allowedKinds)) return o.allowedKinds.map(String);
  const filters = Array.isArray(o.catalogFilter) ? o.catalogFilter : o.catalogFilter ? [o.catalogFilter] : [];
  const kinds = filters.flatMap((f) => (f as { kind?: unknown }).kind ?? []).map(String);
  return kinds.length > 0 ? kinds : otherwise;
}

/** A reference to an entity, chosen from the catalog; another one may be typed. */
function Picker(props: FieldProps & { kinds: string[] }) {
  const { schema, formData, onChange, required, rawErrors, fieldPathId, disabled, readonly, kinds, autofocus } = props;
  const text = typeof formData === 'string' ? formData : '';
  const [sought] = useDebouncedValue(text, 150);
  const [open, setOpen] = useState(false);
  const whole = sought.includes(':') ? undefined : sought || undefined;
  const query = useInfiniteQuery(entities({ kind: kinds.join(',').toLowerCase() || undefined, text: whole }, 50));
  const found = query.data?.pages[0]?.items ?? [];
  return (
    <Autocomplete
      id={fieldPathId.$id}
      label={schema.title ?? props.name}
      description={schema.description}
      required={required}
      disabled={disabled || readonly}
      autoFocus={autofocus}
      placeholder={kinds.length > 0 ? `Choose a ${kinds.join(' or ').toLowerCase()}` : 'Choose an entity'}
      error={rawErrors?.join('; ')}
      data={found.map((e) => e.ref)}
      filter={({ options }) => options}
      limit={50}
      value={text}
      dropdownOpened={open}
      onDropdownOpen={() => setOpen(true)}
      onDropdownClose={() => setOpen(false)}
      onChange={(value) => onChange(value || undefined, fieldPathId.path)}
      renderOption={({ option }) => {
        const e = found.find((one) => one.ref === option.value);
        return (
          <div>
            {e?.title || e?.name} <small style={{ color: 'var(--quiet)' }}>{option.value}</small>
          </div>
        );
      }}
    />
  );
}

export function OwnerPicker(props: FieldProps) {
  return <Picker {...props} kinds={kindsOf(props.uiSchema?.['ui:options'], ['Group', 'User'])} />;
}

export function EntityPicker(props: FieldProps) {
  return <Picker {...props} kinds={kindsOf(props.uiSchema?.['ui:options'], [])} />;
}
