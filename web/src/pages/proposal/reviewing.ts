import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { Said } from '../../api/proposing';

/** Something that this browser keeps for a person, such as drafts; a full or closed store keeps it for this page only. */
function useKept<T>(key: string, none: T) {
  const [value, setValue] = useState<T>(() => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? '') as T;
    } catch {
      return none;
    }
  });
  const keep = useCallback(
    (change: (before: T) => T) =>
      setValue((before) => {
        const next = change(before);
        try {
          localStorage.setItem(key, JSON.stringify(next));
        } catch {
          // it is kept until the page is left
        }
        return next;
      }),
    [key],
  );
  return [value, keep] as const;
}

/** The files that were looked at, each by its content: one that changes is to be looked at again. */
export function useViewed(proposal: string) {
  const [viewed, keep] = useKept<Record<string, string>>(`roadbed.viewed.${proposal}`, {});
  const set = useCallback(
    (path: string, hash: string | undefined) =>
      keep(({ [path]: _, ...others }) => (hash === undefined ? others : { ...others, [path]: hash })),
    [keep],
  );
  return { viewed, set };
}

export interface Drafts {
  /** The head that the newest was written for. */
  head: string;
  said: Said[];
}

/** Comments that wait to be sent as one review. They stay until then, also when the page is left. */
export function useDrafts(proposal: string) {
  const [drafts, keep] = useKept<Drafts>(`roadbed.drafts.${proposal}`, { head: '', said: [] });
  return {
    drafts,
    add: (said: Said, head: string) => keep((before) => ({ head, said: [...before.said, said] })),
    drop: (said: Said) => keep((before) => ({ ...before, said: before.said.filter((s) => s !== said) })),
    clear: () => keep(() => ({ head: '', said: [] })),
  };
}

/** Tells once something comes near to what can be seen: then it is worth to be drawn. */
export function useNear(at: RefObject<Element | null>, known: boolean) {
  const [near, setNear] = useState(known);
  useEffect(() => {
    if (near || known || !at.current) return;
    const watch = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && setNear(true), {
      rootMargin: '1200px',
    });
    watch.observe(at.current);
    return () => watch.disconnect();
  }, [near, known, at]);
  return near || known;
}

/** What keys do on a page, while nobody types. */
export function useKeys(keys: Record<string, () => void>) {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const on = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey || e.altKey || on.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(on.tagName))
        return;
      if (document.querySelector('[role="dialog"]')) return;
      const act = now.current[e.key];
      if (!act) return;
      e.preventDefault();
      act();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

/** Goes to the next of the things that match, after the one that is at the top of the screen; or with -1 to the one before. */
export function stepTo(selector: string, step: 1 | -1) {
  const all = [...document.querySelectorAll<HTMLElement>(selector)];
  const tops = all.map((x) => x.getBoundingClientRect().top);
  const here = 90; // what lies below the head of the page
  const next = step > 0 ? tops.findIndex((top) => top > here + 4) : tops.findLastIndex((top) => top < here - 4);
  const to = all[next];
  to?.scrollIntoView({ block: 'start' });
  to?.focus({ preventScroll: true });
}

/** The file that is in front: the one that has the focus, or the last whose head is at the top of the screen or above. */
export function inFront(): HTMLElement | null {
  const on = document.activeElement?.closest<HTMLElement>('[data-file]');
  if (on) return on;
  const all = [...document.querySelectorAll<HTMLElement>('[data-file]')];
  return all.findLast((x) => x.getBoundingClientRect().top < 140) ?? all[0] ?? null;
}
