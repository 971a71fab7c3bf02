import { useEffect, useState } from 'react';

/**
 * Copies a text. Browsers give the clipboard only to pages of HTTPS and of this machine; elsewhere the text must be
 * shown, for the person to copy it.
 */
export function useCopy() {
  const [state, setState] = useState<'' | 'copied' | 'refused'>('');
  useEffect(() => {
    if (state !== 'copied') return;
    const timer = setTimeout(() => setState(''), 1_500);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      setState('refused');
    }
  };
  return { copied: state === 'copied', refused: state === 'refused', copy, reset: () => setState('') };
}
