import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { newKey, proofHeader, send, sendProven } from './send';

let server: Server | undefined;
afterEach(() => server?.close());

type Answer = (response: ServerResponse) => void;
const broken: Answer = (response) => response.socket?.destroy();
const done: Answer = (response) => response.end('done');
const underWay: Answer = (response) => response.writeHead(409, { 'Retry-After': '1' }).end();
const conflict: Answer = (response) => response.writeHead(409).end();

/** A server that gives each request the next of the answers. */
async function serve(...answers: Answer[]) {
  const heard: string[] = [];
  server = createServer((request: IncomingMessage, response) => {
    let content = '';
    request.on('data', (part) => {
      content += part;
    });
    request.on('end', () => {
      heard.push(`${request.method} ${request.headers['idempotency-key']} ${content}`);
      answers[Math.min(heard.length, answers.length) - 1]?.(response);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const request = (method: string) =>
    new Request(`http://127.0.0.1:${port}/things`, {
      method,
      body: method === 'GET' ? undefined : 'shop',
      headers: { 'Idempotency-Key': 'k1' },
    });
  return { heard, request };
}

describe('send', () => {
  it('sends a write whose connection broke again, with its key and its body', async () => {
    const { heard, request } = await serve(broken, underWay, done);
    const response = await send(request('POST'), [1, 1, 1]);
    expect(await response.text()).toBe('done');
    expect(heard).toEqual(['POST k1 shop', 'POST k1 shop', 'POST k1 shop']);
  });

  it('gives up after the last pause', async () => {
    const { heard, request } = await serve(broken);
    await expect(send(request('DELETE'), [1, 1])).rejects.toThrow();
    expect(heard.length).toBe(3);
  });

  it('gives a conflict of the first attempt at once', async () => {
    const { heard, request } = await serve(conflict);
    expect((await send(request('POST'), [1])).status).toBe(409);
    expect(heard.length).toBe(1);
  });

  it('leaves reading to who reads', async () => {
    const { heard, request } = await serve(broken);
    await expect(send(request('GET'), [1, 1])).rejects.toThrow();
    expect(heard.length).toBe(1);
  });
});

describe('sendProven', () => {
  const refused: Answer = (response) => response.writeHead(403).end();

  it('sends a refused write once more when the session has another proof by now', async () => {
    const { heard, request } = await serve(refused, done);
    const write = request('POST');
    write.headers.set(proofHeader, 'old');
    expect((await sendProven(write, async () => 'new')).status).toBe(200);
    expect(heard).toEqual(['POST k1 shop', 'POST k1 shop']);
  });

  it('leaves a refusal as it is when the proof is the same or somebody else is signed in', async () => {
    for (const proof of ['old', '']) {
      const { heard, request } = await serve(refused, done);
      const write = request('POST');
      write.headers.set(proofHeader, 'old');
      expect((await sendProven(write, async () => proof)).status).toBe(403);
      expect(heard.length).toBe(1);
      server?.close();
    }
  });
});

describe('newKey', () => {
  it('is another one each time, of printable ASCII', () => {
    const keys = new Set(Array.from({ length: 100 }, newKey));
    expect(keys.size).toBe(100);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });
});
