import { lazy, Suspense } from 'react';
import type { RunFilter } from '../../api/queries';
import { RunsOf } from '../../parts/RunsOf';
import { useSelection } from '../catalog/selection';

const RunsMany = lazy(() => import('./RunsMany'));

/** Runs of which several can be chosen, to do the same with each. */
export function RunsToChoose({ filter, label, none }: { filter: RunFilter; label: string; none?: string }) {
  const { selected, select, clear } = useSelection(JSON.stringify(filter));
  return (
    <RunsOf
      filter={filter}
      label={label}
      none={none}
      selection={{ selected, select }}
      below={(items) =>
        selected.size > 0 && (
          <Suspense>
            <RunsMany runs={items.filter((r) => selected.has(r.id))} clear={clear} />
          </Suspense>
        )
      }
    />
  );
}
