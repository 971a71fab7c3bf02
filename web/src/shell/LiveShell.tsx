import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { Live, useEvents } from '../api/live';
import { forget } from '../api/session';
import { refresher } from '../api/touched';
import classes from './Shell.module.css';

const everything = {};

/**
 * Follows the ledger for the page within, and asks anew for what its entries touch. It belongs to one person: with
 * another key it starts anew, and nothing of the person before is left.
 */
export function LiveShell({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [refresh] = useState(() => refresher(client));
  const live = useEvents(
    '/api/v1/ledger/events',
    everything,
    { entry: refresh },
    () => void client.invalidateQueries(),
  );
  useEffect(() => () => forget(client), [client]);
  return (
    <Live value={live}>
      {children}
      {live === 'broken' && (
        <div className={classes.broken} role="status">
          The server can’t be heard; trying again. What is shown may be out of date.
        </div>
      )}
    </Live>
  );
}
