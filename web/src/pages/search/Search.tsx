import { Alert, Button, Group, Select, Text, VisuallyHidden } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { type SearchFilter, search, searchFacets } from '../../api/search';
import type { Facet } from '../../api/types';
import { CopyCommand } from '../../parts/CopyCommand';
import { Failure } from '../../parts/Failure';
import { FilterText } from '../../parts/FilterText';
import { More } from '../../parts/More';
import { Empty, Page, Rows, Section } from '../../parts/Page';
import { searchCommand, thingNames } from '../../words/found';
import { shortRef } from '../../words/ref';
import { Result } from './Result';
import classes from './search.module.css';

const route = getRouteApi('/shell/search');

/** Everything that has some words, narrowed by facets. */
export function SearchPage() {
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(search(filter, 30, searchFacets.join(',')));
  const set = (next: SearchFilter) => navigate({ search: (s) => ({ ...s, ...next }), replace: true });
  const first = query.data?.pages[0];
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  const { q, ...narrowing } = filter;
  const narrowed = Object.values(narrowing).some(Boolean);

  return (
    <Page
      title="Search"
      query={query}
      about={first ? `${first.total} ${first.total === 1 ? 'result' : 'results'}` : 'Entities, APIs, docs and runs'}
      actions={<CopyCommand command={searchCommand({ ...filter })} />}
    >
      <FilterText
        leftSection={<IconSearch size={15} aria-hidden />}
        placeholder="Words, “as they are” in quotes, or kind:component owner:team"
        aria-label="Search for"
        maxLength={400}
        value={q}
        set={(value) => set({ q: value })}
      />
      <Things counts={first?.in ?? []} chosen={filter.in} set={(value) => set({ in: value })} />
      <Group gap="sm">
        {searchFacets.map((name) => (
          <FacetSelect
            key={name}
            name={name}
            values={first?.facets[name] ?? []}
            chosen={filter[name]}
            set={(value) => set({ [name]: value })}
          />
        ))}
      </Group>
      {first?.building && (
        <Alert color="yellow" title="The server has just started">
          It is still making its index, so things may be missing. Ask again in a moment.
        </Alert>
      )}
      <Section flush>
        {query.isLoadingError && <Failure error={query.error} retry={() => query.refetch()} />}
        {query.isPending && <Rows count={10} />}
        {first?.typos && items.length > 0 && (
          <Text size="sm" c="dimmed" px="md" pt="sm">
            Few things have these words, so those that are written almost so are here, too.
          </Text>
        )}
        {query.isSuccess && items.length === 0 && (
          <Empty
            title={q ? 'Nothing has all of these words' : 'Nothing is like that'}
            action={
              narrowed ? (
                <Button variant="default" onClick={() => navigate({ search: { q } })}>
                  Take the filters away
                </Button>
              ) : (
                <Button variant="default" component={Link} to="/catalog">
                  Look through the catalog
                </Button>
              )
            }
          >
            {narrowed
              ? 'The filters may leave nothing.'
              : 'Leave a word out, or write only the beginning of one. Only what you may see is found.'}
          </Empty>
        )}
        {items.length > 0 && (
          <ol className={classes.results} aria-label="Results">
            {items.map((hit) => (
              <Result key={`${hit.address} ${hit.run ?? hit.ref}`} hit={hit} />
            ))}
          </ol>
        )}
        <More query={query} />
      </Section>
    </Page>
  );
}

/** Kinds of things with how many there are of each, of which one may be chosen. */
function Things({
  counts,
  chosen,
  set,
}: {
  counts: Facet[];
  chosen?: string;
  set: (value: string | undefined) => void;
}) {
  const all = counts.reduce((sum, c) => sum + c.count, 0);
  const choices: { value?: string; name: string; count: number }[] = [
    { name: 'All', count: all },
    ...Object.entries(thingNames).map(([value, name]) => ({
      value,
      name,
      count: counts.find((c) => c.value === value)?.count ?? 0,
    })),
  ];
  return (
    <fieldset className={classes.things}>
      <VisuallyHidden component="legend">What to search</VisuallyHidden>
      {choices.map((c) => (
        <Button
          key={c.name}
          size="compact-sm"
          variant={chosen === c.value ? 'light' : 'subtle'}
          color={chosen === c.value ? undefined : 'gray'}
          aria-pressed={chosen === c.value}
          onClick={() => set(c.value)}
        >
          {c.name} {c.count}
        </Button>
      ))}
    </fieldset>
  );
}

/** How many values of a field are counted, the most frequent. */
const mostFacets = 50;

interface FacetProps {
  name: string;
  values: Facet[];
  chosen?: string;
  set: (value: string | undefined) => void;
}

function FacetSelect({ name, values, chosen, set }: FacetProps) {
  const data = values.map((v) => ({ value: v.value, label: `${shortRef(v.value)} (${v.count})` }));
  if (chosen && !data.some((d) => d.value === chosen)) data.push({ value: chosen, label: shortRef(chosen) });
  if (data.length === 0) return null;
  return (
    <Select
      w={165}
      aria-label={name}
      placeholder={`Any ${name}`}
      clearable
      searchable
      nothingFoundMessage={
        values.length < mostFacets
          ? 'None is like that'
          : `Not among the ${mostFacets} most frequent; write ${name}:NAME among the words`
      }
      data={data}
      value={chosen ?? null}
      onChange={(value) => set(value ?? undefined)}
    />
  );
}
