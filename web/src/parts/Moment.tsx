import { useEffect, useState } from 'react';
import { ago, full, took } from '../words/time';

/** The time now, renewed every so often, so that relative times stay true. */
export function useNow(every = 20_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** A moment relative to now, the exact one on hover. */
export function Moment({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={full(at)} style={{ whiteSpace: 'nowrap' }}>
      {ago(at, now)}
    </time>
  );
}

/** How long something took; counts while it goes on. */
export function Took({ started, ended }: { started?: string; ended?: string }) {
  const now = useNow(ended || !started ? 600_000 : 1000);
  const text = took(started, ended, now);
  return text ? <span style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }}>{text}</span> : null;
}
