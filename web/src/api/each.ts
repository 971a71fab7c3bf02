import { asProblem } from './problem';

export interface Failed<T> {
  item: T;
  why: string;
}

export interface Options {
  atOnce?: number;
  /** Is told after each item how many are done. */
  told?: (done: number) => void;
  /** When it is aborted, what is not begun yet fails. */
  signal?: AbortSignal;
}

/** Begins to count anew, of what is done next. */
export type Track = () => Options;

/** Does something with each item, a few at a time, and gives those with which it failed, in their order. */
export async function each<T>(
  items: T[],
  act: (item: T) => Promise<unknown>,
  { atOnce = 4, told, signal }: Options = {},
): Promise<Failed<T>[]> {
  const why = new Map<number, string>();
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let i = next++; i < items.length; i = next++) {
      if (signal?.aborted) {
        why.set(i, 'not done, since you stopped it');
        continue;
      }
      try {
        await act(items[i] as T);
      } catch (err) {
        why.set(i, asProblem(err).message);
      }
      told?.(++done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return items.flatMap((item, i) => {
    const failed = why.get(i);
    return failed === undefined ? [] : [{ item, why: failed }];
  });
}
