import { useBlocker } from '@tanstack/react-router';
import { useRef } from 'react';

/** Asks before a page is left whose work is not committed. What it gives is called when it is. */
export function useKept(unsaved: boolean): () => void {
  const done = useRef(false);
  useBlocker({
    shouldBlockFn: () => unsaved && !done.current && !window.confirm('What you did here is not committed. Leave it?'),
    enableBeforeUnload: () => unsaved && !done.current,
  });
  return () => {
    done.current = true;
  };
}
