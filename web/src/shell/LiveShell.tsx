import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo, useState } from 'react';
import { type Connection, Live, windowStream } from '../api/live';
import { forget } from '../api/session';
import { refresher } from '../api/touched';
import classes from './Shell.module.css';

/**
 * Follows the ledger for the page within, and asks anew for what its entries touch. It belongs to one person: with
 * another key it starts anew, and nothing of the person before is left.
 */
export function LiveShell({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<Connection>('connecting');
  const [stream] = useState(() => windowStream(client, refresher(client), setState));
  useEffect(() => {
    const look = () => (document.visibilityState === 'hidden' ? stream.pause() : stream.resume());
    look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      stream.pause();
      forget(client);
    };
  }, [stream, client]);
  const live = useMemo(() => ({ state, follow: stream.follow }), [state, stream]);
  return (
    <Live value={live}>
      {children}
      {state === 'broken' && (
        <div className={classes.broken} role="status">
          The server can’t be heard; trying again. What is shown may be out of date.
        </div>
      )}
    </Live>
  );
}
