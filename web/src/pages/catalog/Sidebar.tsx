import { Button, TextInput, VisuallyHidden } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { facets } from '../../api/queries';
import type { Facet } from '../../api/types';
import { shortRef } from '../../words/ref';
import classes from './catalog.module.css';
import { type CatalogSearch, gapNames, type ListName, toFilter, turned, values } from './filter';

interface Props {
  search: CatalogSearch;
  set: (next: CatalogSearch) => void;
}

const groups: [ListName, string][] = [
  ['kind', 'Kind'],
  ['type', 'Type'],
  ['owner', 'Owner'],
  ['lifecycle', 'Lifecycle'],
  ['tag', 'Tags'],
  ['system', 'System'],
  ['namespace', 'Namespace'],
  ['space', 'Space'],
  ['gap', 'Gaps'],
];

const whose = [
  ['', 'All'],
  ['mine', 'Owned'],
  ['starred', 'Starred'],
] as const;

/** The filters of the catalog, each value with how many it would leave. */
export function Sidebar({ search, set }: Props) {
  const counted = useQuery(facets(toFilter({ ...search, asOf: undefined, sort: undefined }))).data?.items ?? [];
  const of = (field: string) => counted.filter((f) => f.field === field);
  const personal = new Map(of('personal').map((f) => [f.value, f.count]));
  const state = new Map(of('state').map((f) => [f.value, f.count]));
  const now = search.mine ? 'mine' : search.starred ? 'starred' : '';
  return (
    <>
      <fieldset className={classes.group} style={{ border: 0, padding: 0, margin: 0 }}>
        <VisuallyHidden component="legend">Whose</VisuallyHidden>
        {whose.map(([value, label]) => (
          <label key={value} className={classes.choice}>
            <input
              type="radio"
              name="whose"
              checked={now === value}
              onChange={() =>
                set({ mine: value === 'mine' ? 'true' : undefined, starred: value === 'starred' ? 'true' : undefined })
              }
            />
            <span>{label}</span>
            {value && <span className={classes.count}>{personal.get(value) ?? 0}</span>}
          </label>
        ))}
      </fieldset>
      {groups.map(([name, label]) => (
        <Group
          key={name}
          label={label}
          facets={of(name)}
          chosen={values(search[name])}
          turn={(value) => set({ [name]: turned(search[name], value) })}
          word={name === 'gap' ? (value) => gapNames[value] ?? value : shortRef}
        />
      ))}
      {(state.size > 0 || search.failed || search.orphan) && (
        <section className={classes.group} aria-label="State">
          <h2>State</h2>
          {(['failed', 'orphan'] as const).map((flag) => (
            <label key={flag} className={classes.choice}>
              <input
                type="checkbox"
                checked={Boolean(search[flag])}
                onChange={() => set({ [flag]: search[flag] ? undefined : 'true' })}
              />
              <span>{flag === 'failed' ? 'Newest version can’t be read' : 'No file declares it'}</span>
              <span className={classes.count}>{state.get(flag) ?? 0}</span>
            </label>
          ))}
        </section>
      )}
    </>
  );
}

const few = 6;

function Group({
  label,
  facets: all,
  chosen,
  turn,
  word,
}: {
  label: string;
  facets: Facet[];
  chosen: string[];
  turn: (value: string) => void;
  word: (value: string) => string;
}) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  const gone = chosen.filter((value) => !all.some((f) => f.value === value));
  const offered = [...gone.map((value) => ({ value, count: 0 })), ...all];
  if (offered.length === 0) return null;
  const first = [...offered].sort((a, b) => Number(chosen.includes(b.value)) - Number(chosen.includes(a.value)));
  const shown = open
    ? first.filter((f) => word(f.value).toLowerCase().includes(text.trim().toLowerCase()))
    : first.slice(0, Math.max(few, chosen.length));
  return (
    <section className={classes.group} aria-label={label}>
      <h2>{label}</h2>
      {open && offered.length > 12 && (
        <TextInput
          size="xs"
          mb={4}
          placeholder="Find"
          aria-label={`Find in ${label}`}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
      )}
      {shown.map((f) => (
        <label key={f.value} className={classes.choice} title={f.value}>
          <input type="checkbox" checked={chosen.includes(f.value)} onChange={() => turn(f.value)} />
          <span>{word(f.value)}</span>
          <span className={classes.count}>{f.count}</span>
        </label>
      ))}
      {(offered.length > shown.length || open) && offered.length > few && (
        <Button variant="subtle" size="compact-xs" onClick={() => setOpen(!open)}>
          {open ? 'Show fewer' : `Show all ${offered.length}`}
        </Button>
      )}
    </section>
  );
}
