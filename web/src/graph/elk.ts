import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js';
import workerURL from 'elkjs/lib/elk-worker.min.js?url';

/** Lays a graph out in a worker of our own origin, which the server's policy on content allows. */
export async function layOut(input: ElkNode): Promise<Map<string, { x: number; y: number }>> {
  const elk = new ELK({ workerUrl: workerURL, workerFactory: (url) => new Worker(url ?? workerURL) });
  try {
    const out = await elk.layout(input);
    return new Map((out.children ?? []).map((n) => [n.id, { x: n.x ?? 0, y: n.y ?? 0 }]));
  } finally {
    elk.terminateWorker();
  }
}
