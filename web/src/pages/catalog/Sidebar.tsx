import { Button, TextInput, VisuallyHidden } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type EntityFilter, facets, mostFacets } from '../../api/queries';
import type { Facet } from '../../api/types';
import { Failure } from '../../parts/Failure';
import { shortRef } from '../../words/ref';
import classes from './catalog.module.css';
import { type CatalogSearch, gapNames, type ListName, type Offered, offer, toFilter, turned, values } from './filter';

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

/** The filters of the catalog, each value with how many it would leave, or would have left at a time. */
export function Sidebar({ search, set }: Props) {
  const past = Boolean(search.asOf);
  const filter = toFilter({ ...search, sort: undefined });
  const query = useQuery(facets(filter));
  const counted = query.data?.items ?? [];
  const of = (field: string) => counted.filter((f) => f.field === field);
  const personal = new Map(of('personal').map((f) => [f.value, f.count]));
  const state = new Map(of('state').map((f) => [f.value, f.count]));
  const now = search.mine ? 'mine' : search.starred && !past ? 'starred' : '';
  return (
    <>
      {past && <Failure error={query.error} retry={() => query.refetch()} />}
      <fieldset className={classes.group} style={{ border: 0, padding: 0, margin: 0 }}>
        <VisuallyHidden component="legend">Whose</VisuallyHidden>
        {whose
          .filter(([value]) => !past || value !== 'starred')
          .map(([value, label]) => (
            <label key={value} className={classes.choice}>
              <input
                type="radio"
                name="whose"
                checked={now === value}
                onChange={() =>
                  set({
                    mine: value === 'mine' ? 'true' : undefined,
                    starred: value === 'starred' ? 'true' : undefined,
                  })
                }
              />
              <span>{label}</span>
              {value && <span className={classes.count}>{personal.get(value) ?? 0}</span>}
            </label>
          ))}
      </fieldset>
      {groups
        .filter(([name]) => !past || name !== 'gap')
        .map(([name, label]) => (
          <Group
            key={name}
            name={name}
            label={label}
            facets={of(name)}
            filter={filter}
            chosen={values(search[name])}
            turn={(value) => set({ [name]: turned(search[name], value) })}
          />
        ))}
      {!past && (state.size > 0 || search.failed || search.orphan) && (
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

interface GroupProps {
  name: ListName;
  label: string;
  facets: Facet[];
  /** What the list is narrowed by. */
  filter: EntityFilter;
  chosen: string[];
  turn: (value: string) => void;
}

/** The values of a field. Of many only the most frequent are here, so that the server is asked for the others. */
function Group({ name, label, facets: all, filter, chosen, turn }: GroupProps) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState('');
  const [asked] = useDebouncedValue(text.trim(), 200);
  const cut = all.length >= mostFacets;
  const found = useQuery({ ...facets(filter, name, asked), enabled: open && cut && asked !== '' });
  const word = name === 'gap' ? (value: string) => gapNames[value] ?? value : shortRef;
  const offered = offer(all, chosen, cut);
  if (offered.length === 0) return null;
  const has = (f: Offered) => word(f.value).toLowerCase().includes(text.trim().toLowerCase());
  const shown = !open
    ? offered.slice(0, Math.max(few, chosen.length))
    : cut && asked && found.data && !found.isPlaceholderData
      ? found.data.items
      : offered.filter(has);
  return (
    <section className={classes.group} aria-label={label}>
      <h2>{label}</h2>
      {open && offered.length > 12 && (
        <TextInput
          size="xs"
          mb={4}
          maxLength={200}
          placeholder="Find"
          aria-label={`Find in ${label}`}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
      )}
      {open && cut && !text.trim() && <p className={classes.said}>The {mostFacets} most frequent; find the others</p>}
      {open && shown.length === 0 && !found.isFetching && <p className={classes.said}>None is like that</p>}
      {shown.map((f) => (
        <label key={f.value} className={classes.choice} title={f.value}>
          <input type="checkbox" checked={chosen.includes(f.value)} onChange={() => turn(f.value)} />
          <span>{word(f.value)}</span>
          {f.count !== undefined && <span className={classes.count}>{f.count}</span>}
        </label>
      ))}
      {(offered.length > shown.length || open) && offered.length > few && (
        <Button variant="subtle" size="compact-xs" onClick={() => setOpen(!open)}>
          {open ? 'Show fewer' : cut ? `Show the ${mostFacets} most frequent` : `Show all ${offered.length}`}
        </Button>
      )}
      <Failure error={found.error} />
    </section>
  );
}
