import type { Agent, Pool } from '../../api/pools';

/** How a pool does, in a state that has a colour, and the word for it. */
export function stateOf(p: Pick<Pool, 'drained' | 'connected'>): { state: string; said: string } {
  if (p.drained) return { state: 'held', said: 'drained' };
  if (p.connected === 0) return { state: 'away', said: 'no agent' };
  return { state: 'healthy', said: 'ready' };
}

/** How an agent does. */
export function agentState(a: Pick<Agent, 'state'>): { state: string; said: string } {
  switch (a.state) {
    case 'connected':
      return { state: 'healthy', said: 'connected' };
    case 'draining':
      return { state: 'held', said: 'drained' };
    default:
      return { state: 'away', said: 'gone' };
  }
}

/** The command that connects an agent, for a server at an address. */
export function command(server: string): string {
  const clear =
    server.startsWith('http://') && !/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(server)
      ? ' --in-clear'
      : '';
  return `roadbed agent --server ${server} --token-file agent.token --dir ./roadbed-agent${clear}`;
}

export const example = `apiVersion: roadbed.dev/v1
kind: WorkerPool
metadata:
  name: eu
  description: Machines in the data centre, which reach the private network
spec:
  shared: true # stacks of the spaces below may use it, too
`;
