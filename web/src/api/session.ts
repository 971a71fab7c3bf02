import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

const channel = 'roadbed-session';

/** Forgets every answer but who is signed in, which the shell looks at. */
export function forget(client: QueryClient) {
  client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'me' });
}

/** Tells the other windows of this browser, which share its session, that somebody signed in or out. */
export function tellWindows() {
  const windows = new BroadcastChannel(channel);
  windows.postMessage('changed');
  windows.close();
}

/** Asks anew who is signed in when that changed in another window. */
export function useOtherWindows() {
  const client = useQueryClient();
  useEffect(() => {
    const windows = new BroadcastChannel(channel);
    windows.onmessage = () => void client.refetchQueries({ queryKey: ['me'] });
    return () => windows.close();
  }, [client]);
}
