import { useCallback, useEffect, useState } from 'react';

/** The rows that are selected; another list has none. */
export function useSelection(of: string) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  // biome-ignore lint/correctness/useExhaustiveDependencies: it begins anew with the list
  useEffect(() => setSelected(new Set()), [of]);
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
  return { selected, select, clear: useCallback(() => setSelected(new Set()), []) };
}
