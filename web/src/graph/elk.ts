import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js';
import workerURL from 'elkjs/lib/elk-worker.min.js?url';

const engine = () => new ELK({ workerUrl: workerURL, workerFactory: (url) => new Worker(url ?? workerURL) });

const placesOf = (out: ElkNode) => new Map((out.children ?? []).map((n) => [n.id, { x: n.x ?? 0, y: n.y ?? 0 }]));

/** Lays a graph out in a worker of our own origin, which the server's policy on content allows. */
export async function layOut(input: ElkNode): Promise<Map<string, { x: number; y: number }>> {
  const elk = engine();
  try {
    return placesOf(await elk.layout(input));
  } finally {
    elk.terminateWorker();
  }
}

/** Lays one graph out after another with one worker. One that is no longer wanted is given up: its promise stays open. */
export class Layouts {
  private elk?: InstanceType<typeof ELK>;
  private busy = false;

  async layOut(input: ElkNode) {
    if (this.busy) this.end();
    this.elk ??= engine();
    const { elk } = this;
    this.busy = true;
    try {
      return placesOf(await elk.layout(input));
    } finally {
      if (elk === this.elk) this.busy = false;
    }
  }

  end() {
    this.elk?.terminateWorker();
    this.elk = undefined;
    this.busy = false;
  }
}
