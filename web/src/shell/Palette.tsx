import { Spotlight, type SpotlightActionData, spotlight } from '@mantine/spotlight';
import '@mantine/spotlight/styles.layer.css';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { asProblem } from '../api/problem';
import { entities, latestRuns } from '../api/queries';
import { refPath } from '../words/ref';
import { word } from '../words/status';
import { otherPages, portalPages } from './pages';

/** The palette over pages and entities; it opens each time that asked grows. */
export default function Palette({ asked }: { asked: number }) {
  const [text, setText] = useState('');
  const [sought] = useDebouncedValue(text.trim(), 120);
  const navigate = useNavigate();
  const found = useInfiniteQuery({ ...entities(sought ? { text: sought } : {}, 12), enabled: asked > 0 });
  const ran = useQuery({ ...latestRuns, enabled: asked > 0 });
  useEffect(() => {
    if (asked > 0) spotlight.open();
  }, [asked]);

  const words = text.toLowerCase();
  const pages: SpotlightActionData[] = [...portalPages, ...otherPages]
    .filter((p) => `${p.name} ${p.about}`.toLowerCase().includes(words))
    .map((p) => ({
      id: p.to,
      label: p.name,
      description: p.about,
      leftSection: <p.icon size={18} aria-hidden />,
      onClick: () => void navigate({ to: p.to }),
    }));
  const things: SpotlightActionData[] = (found.data?.pages[0]?.items ?? []).map((e) => ({
    id: e.ref,
    label: e.title || e.name,
    description: e.ref,
    onClick: () => void navigate({ to: refPath(e.ref) ?? '/catalog' }),
  }));
  const runs: SpotlightActionData[] = (ran.data?.items ?? [])
    .filter((r) => sought && `${r.title} ${r.id} ${r.kind}`.toLowerCase().includes(sought.toLowerCase()))
    .slice(0, 6)
    .map((r) => ({
      id: r.id,
      label: r.title,
      description: `${r.kind} ${word(r.state)}, by ${r.actor.name}`,
      onClick: () => void navigate({ to: '/runs/$id', params: { id: r.id } }),
    }));
  const failed = found.error ?? ran.error;
  const nothing = failed ? `The search failed: ${asProblem(failed).message}` : 'Nothing is called that';
  return (
    <Spotlight
      query={text}
      onQueryChange={setText}
      filter={(_, given) => given}
      shortcut={null}
      scrollable
      maxHeight={420}
      nothingFound={found.isFetching ? 'Searching…' : nothing}
      actions={[
        { group: 'Pages', actions: pages },
        { group: 'Catalog', actions: things },
        { group: 'Latest runs', actions: runs },
      ]}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: 'Where to?',
        'aria-label': 'Where to?',
      }}
    />
  );
}
