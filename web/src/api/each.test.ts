import { describe, expect, it } from 'vitest';
import { each } from './each';

describe('doing something with many', () => {
  it('goes on after a failure, and tells which failed, in their order', async () => {
    const done: number[] = [];
    const failed = await each([1, 2, 3, 4, 5, 6, 7], async (n) => {
      if (n % 3 === 0) throw new Error(`not ${n}`);
      done.push(n);
    });
    expect(done.sort()).toEqual([1, 2, 4, 5, 7]);
    expect(failed).toEqual([
      { item: 3, why: 'not 3' },
      { item: 6, why: 'not 6' },
    ]);
  });
  it('tells how far it is, and begins nothing once it is stopped', async () => {
    const stop = new AbortController();
    const told: number[] = [];
    const begun: number[] = [];
    const failed = await each(
      [1, 2, 3, 4, 5],
      async (n) => {
        begun.push(n);
        if (n === 3) stop.abort();
      },
      { atOnce: 1, told: (done) => told.push(done), signal: stop.signal },
    );
    expect(begun).toEqual([1, 2, 3]);
    expect(told).toEqual([1, 2, 3]);
    expect(failed.map((f) => f.item)).toEqual([4, 5]);
  });
  it('does no more at once than it may', async () => {
    let busy = 0;
    let most = 0;
    await each(
      [...Array(20).keys()],
      async () => {
        most = Math.max(most, ++busy);
        await Promise.resolve();
        busy--;
      },
      { atOnce: 3 },
    );
    expect(most).toBe(3);
    expect(await each([], () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
