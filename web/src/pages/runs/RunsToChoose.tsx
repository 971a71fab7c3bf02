import { useInfiniteQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { type RunFilter, runs } from '../../api/queries';
import { Section } from '../../parts/Page';
import { RunsOf } from '../../parts/RunsOf';
import { useSelection } from '../catalog/selection';

const RunsMany = lazy(() => import('./RunsMany'));

/** Runs of which several can be chosen, to do the same with each. */
export function RunsToChoose({ filter, label, none }: { filter: RunFilter; label: string; none?: string }) {
  const { selected, select, clear } = useSelection(JSON.stringify(filter));
  const items = useInfiniteQuery(runs(filter)).data?.pages.flatMap((p) => p.items) ?? [];
  const chosen = items.filter((r) => selected.has(r.id));
  return (
    <>
      <Section flush>
        <RunsOf filter={filter} label={label} none={none} selection={{ selected, select }} />
      </Section>
      {chosen.length > 0 && (
        <Suspense>
          <RunsMany runs={chosen} clear={clear} />
        </Suspense>
      )}
    </>
  );
}
