import { useEffect, useState } from 'react';

/**
 * Gives what Enter does in a list that is narrowed while somebody types: it acts once what the list shows is of the text, which is
 * late for as long as that is asked for.
 */
export function useEnter(text: string, late: boolean, act: () => void) {
  const [pressed, setPressed] = useState<string>();
  const now = pressed === text && !late;
  useEffect(() => {
    if (!now) return;
    setPressed(undefined);
    act();
  });
  return () => setPressed(text);
}
