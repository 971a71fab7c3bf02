import { afterEach, describe, expect, it, vi } from 'vitest';
import { api } from '../../api/client';
import { mostSelected, readAll } from './selection';

interface Asked {
  params: { query: { cursor?: string; limit: number; kind: string } };
}

/** A list with so many entities, of which each page has as many as are asked for. */
function listOf(total: number) {
  const asked: number[] = [];
  vi.spyOn(api, 'GET').mockImplementation(((_: string, { params: { query } }: Asked) => {
    const from = Number(query.cursor ?? 0);
    asked.push(from);
    const items = Array.from({ length: Math.min(query.limit, total - from) }, (_, i) => ({
      ref: `${query.kind}:default/part-${from + i}`,
      source: 'apply',
      document: {},
    }));
    const next = from + items.length < total ? String(from + items.length) : undefined;
    return Promise.resolve({ data: { items, next, total }, response: new Response() });
  }) as unknown as typeof api.GET);
  return asked;
}

describe('all that match', () => {
  afterEach(() => vi.restoreAllMocks());

  it('are read page by page, without their documents', async () => {
    const asked = listOf(450);
    const told: number[] = [];
    const all = await readAll({ kind: 'component' }, { told: (n) => told.push(n) });
    expect(all).toHaveLength(450);
    expect(all[449]).toEqual({ ref: 'component:default/part-449', source: 'apply' });
    expect(asked).toEqual([0, 200, 400]);
    expect(told).toEqual([200, 400, 450]);
  });
  it('are as many as can be selected', async () => {
    const asked = listOf(7000);
    expect(await readAll({ kind: 'component' }, {})).toHaveLength(mostSelected);
    expect(asked).toHaveLength(mostSelected / 200);
  });
  it('are none when somebody stops it', async () => {
    const asked = listOf(7000);
    const stop = new AbortController();
    const read = readAll({ kind: 'component' }, { told: (n) => n === 400 && stop.abort(), signal: stop.signal });
    await expect(read).rejects.toThrow('You stopped it');
    expect(asked).toEqual([0, 200]);
  });
});
