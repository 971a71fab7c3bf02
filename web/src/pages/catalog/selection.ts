import { useCallback, useEffect, useMemo, useState } from 'react';
import { api, body } from '../../api/client';
import type { Options } from '../../api/each';
import { Problem } from '../../api/problem';
import type { EntityFilter } from '../../api/queries';
import type { Placed } from './locations';

/** How many can be selected. */
export const mostSelected = 5000;

/** The rows that are selected; another list has none. */
export function useSelection(of: string) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [beyond, setBeyond] = useState<readonly Placed[]>([]);
  const clear = useCallback(() => {
    setSelected(new Set());
    setBeyond([]);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it begins anew with the list
  useEffect(clear, [of]);
  const select = useCallback(
    (refs: string[], on: boolean) =>
      setSelected((before) => {
        const now = new Set(before);
        for (const ref of refs) {
          if (on) now.add(ref);
          else now.delete(ref);
        }
        return now;
      }),
    [],
  );
  /** Selects what matches, also what the list has not read yet. */
  const selectAll = useCallback((all: Placed[]) => {
    setSelected(new Set(all.map((e) => e.ref)));
    setBeyond(all);
  }, []);
  return useMemo(() => ({ selected, beyond, select, selectAll, clear }), [selected, beyond, select, selectAll, clear]);
}
export type Selection = ReturnType<typeof useSelection>;

/** Reads what matches a filter, as far as so many can be selected. */
export async function readAll(filter: EntityFilter, { told, signal }: Options): Promise<Placed[]> {
  const all = new Map<string, Placed>();
  for (let cursor: string | undefined; ; ) {
    const part = await body(api.GET('/api/v1/entities', { params: { query: { ...filter, limit: 200, cursor } } }));
    for (const { ref, source, location, origin, orphan } of part.items)
      all.set(ref, { ref, source, location, origin, orphan });
    told?.(Math.min(all.size, mostSelected));
    cursor = part.next;
    if (!cursor || all.size >= mostSelected) return [...all.values()].slice(0, mostSelected);
    if (signal?.aborted) throw new Problem(0, 'Nothing more is selected', 'You stopped it.');
  }
}
