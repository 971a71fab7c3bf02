import { asProblem } from './problem';

export interface Failed<T> {
  item: T;
  why: string;
}

/** Does something with each item, a few at a time, and gives those with which it failed, in their order. */
export async function each<T>(items: T[], act: (item: T) => Promise<unknown>, atOnce = 4): Promise<Failed<T>[]> {
  const why = new Map<number, string>();
  let next = 0;
  const work = async () => {
    for (let i = next++; i < items.length; i = next++) {
      try {
        await act(items[i] as T);
      } catch (err) {
        why.set(i, asProblem(err).message);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return items.flatMap((item, i) => {
    const failed = why.get(i);
    return failed === undefined ? [] : [{ item, why: failed }];
  });
}
