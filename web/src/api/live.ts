import { useEffect, useRef, useState } from 'react';

export type Connection = 'connecting' | 'live' | 'broken';

/**
 * Follows a stream of server-sent events while the component is shown. The browser takes a broken stream up again
 * after the last event; handlers may change from one render to the next without a new connection.
 */
export function useEvents(path: string | null, handlers: Record<string, (data: unknown) => void>): Connection {
  const [state, setState] = useState<Connection>('connecting');
  const latest = useRef(handlers);
  latest.current = handlers;
  const names = Object.keys(handlers).join(',');

  useEffect(() => {
    if (!path) return;
    const source = new EventSource(`/api/v1${path}`);
    source.onopen = () => setState('live');
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? 'broken' : 'connecting');
    for (const name of names.split(',')) {
      source.addEventListener(name, (event) =>
        latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data)),
      );
    }
    source.addEventListener('problem', () => {
      source.close();
      setState('broken');
    });
    return () => source.close();
  }, [path, names]);

  return state;
}
