import { createSpotlight, Spotlight } from '@mantine/spotlight';
import '@mantine/spotlight/styles.layer.css';
import { useDebouncedValue, useLocalStorage } from '@mantine/hooks';
import { IconHistory, IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { asProblem } from '../api/problem';
import { me } from '../api/queries';
import { search } from '../api/search';
import type { SearchHit } from '../api/types';
import { Pieces } from '../parts/Pieces';
import { ThingIcon } from '../parts/ThingIcon';
import { byThing, joined, type Recent, thingNames, whatOf, withRecent } from '../words/found';
import { otherPages } from './otherPages';
import classes from './Palette.module.css';
import { portalPages } from './pages';

const mostPages = 3;
const [store, spotlight] = createSpotlight();

/** Marks the first line as the one that Enter takes, after others have come in front of the one that was. */
function selectFirst() {
  const list = document.getElementById(store.getState().listId);
  list?.querySelector('[data-selected]')?.removeAttribute('data-selected');
  list?.querySelector('[data-action]')?.setAttribute('data-selected', 'true');
  store.updateState((state) => ({ ...state, selected: 0 }));
}

/** The palette over pages and everything that search finds; it opens each time that asked grows. */
export default function Palette({ asked }: { asked: number }) {
  const [text, setText] = useState('');
  const sought = text.trim();
  const [settled] = useDebouncedValue(sought, 100);
  const navigate = useNavigate();
  const who = useQuery(me).data?.ref;
  const [recent, setRecent] = useLocalStorage<Recent[]>({ key: `roadbed-recent ${who}`, defaultValue: [] });
  const found = useInfiniteQuery({ ...search({ q: settled }, 20), enabled: asked > 0 && settled !== '' });
  useEffect(() => {
    if (asked > 0) spotlight.open();
  }, [asked]);

  const words = sought.toLowerCase();
  const pages = [...portalPages, ...otherPages].filter((p) => `${p.name} ${p.about}`.toLowerCase().includes(words));
  const hits = sought === '' ? [] : (found.data?.pages[0]?.items ?? []);
  const late = sought !== '' && (settled !== sought || found.isPlaceholderData || found.isPending);
  useEffect(() => {
    if (sought !== '' && !late) selectFirst();
  }, [sought, late]);
  const everything = () => void navigate({ to: '/search', search: { q: sought } });
  const go = (place: Recent) => {
    setRecent((before) => withRecent(before ?? [], place));
    const [to, hash] = place.address.split('#');
    void navigate({ to: to || '/', hash });
  };
  // What is still shown is of an earlier text, so a quick Enter leads to what is found with the whole one.
  const choose = (hit: SearchHit) =>
    late ? everything() : go({ address: hit.address, title: joined(hit.title), about: whatOf(hit) });
  const nothing = found.error ? `The search failed: ${asProblem(found.error).message}` : undefined;

  return (
    <Spotlight.Root
      store={store}
      query={text}
      onQueryChange={setText}
      shortcut={null}
      scrollable
      maxHeight={460}
      clearQueryOnClose
    >
      <Spotlight.Search
        leftSection={<IconSearch size={18} aria-hidden />}
        placeholder="Where to?"
        aria-label="Where to?"
        maxLength={400}
      />
      <Spotlight.ActionsList>
        {sought === '' && recent.length > 0 && (
          <Lines label="Recent">
            {recent.map((r) => (
              <Line key={r.address} icon={<IconHistory size={18} />} title={r.title} about={r.about} go={() => go(r)} />
            ))}
          </Lines>
        )}
        {pages.length > 0 && (
          <Lines label="Pages">
            {pages.slice(0, sought === '' ? undefined : mostPages).map((p) => (
              <Line
                key={p.to}
                icon={<p.icon size={18} />}
                title={p.name}
                about={p.about}
                go={() => void navigate({ to: p.to })}
              />
            ))}
          </Lines>
        )}
        {byThing(hits).map(([thing, some]) => (
          <Lines key={thing} label={thingNames[thing] ?? thing}>
            {some.map((hit) => (
              <Line
                key={`${hit.address} ${hit.run ?? hit.ref}`}
                icon={<ThingIcon of={hit} />}
                title={<Pieces of={hit.title} />}
                about={whatOf(hit)}
                text={hit.text?.some((p) => p.match) && <Pieces of={hit.text} />}
                go={() => choose(hit)}
              />
            ))}
          </Lines>
        ))}
        {sought !== '' && (
          <Lines label="Search">
            <Line
              icon={<IconSearch size={18} />}
              title={`Everything with “${sought}”`}
              about={
                nothing ??
                (late || found.isFetching
                  ? 'Searching…'
                  : (hits.length === 0 && 'Nothing has all of these words') || 'With filters')
              }
              go={everything}
            />
          </Lines>
        )}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}

/** Lines under a name, which is for those who hear the page, too. */
function Lines({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Spotlight.ActionsGroup label={label} role="group" aria-label={label}>
      {children}
    </Spotlight.ActionsGroup>
  );
}

interface LineProps {
  icon: ReactNode;
  title: ReactNode;
  about: string;
  text?: ReactNode;
  go: () => void;
}

function Line({ icon, title, about, text, go }: LineProps) {
  return (
    <Spotlight.Action onClick={go}>
      <div className={classes.line}>
        <div className={classes.icon} aria-hidden>
          {icon}
        </div>
        <div className={classes.words}>
          <div className={classes.title}>{title}</div> <div className={classes.about}>{about}</div>
          {text && <div className={classes.text}>{text}</div>}
        </div>
      </div>
    </Spotlight.Action>
  );
}
