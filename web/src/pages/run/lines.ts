/** One of two lists, or both, at a place: the places are of the list before and of the one after. */
export interface Step {
  before?: number;
  after?: number;
}

/** Beyond this many comparisons what lies between the equal ends is taken as all other. */
const most = 4_000_000;

/** The way from one list to another with what is the same in both kept, as much as can be. */
export function compare(before: string[], after: string[]): Step[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end++;
  }
  const n = before.length - start - end;
  const m = after.length - start - end;
  const steps: Step[] = [];
  for (let i = 0; i < start; i++) steps.push({ before: i, after: i });
  if (n * m > most) {
    for (let i = 0; i < n; i++) steps.push({ before: start + i });
    for (let j = 0; j < m; j++) steps.push({ after: start + j });
  } else {
    // longest[i][j] is how much is common from there on.
    const width = m + 1;
    const longest = new Uint32Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = m - 1; j >= 0; j--) {
        longest[i * width + j] =
          before[start + i] === after[start + j]
            ? (longest[(i + 1) * width + j + 1] as number) + 1
            : Math.max(longest[(i + 1) * width + j] as number, longest[i * width + j + 1] as number);
      }
    }
    let i = 0;
    let j = 0;
    while (i < n || j < m) {
      if (i < n && j < m && before[start + i] === after[start + j]) {
        steps.push({ before: start + i++, after: start + j++ });
      } else if (
        i < n &&
        (j === m || (longest[(i + 1) * width + j] as number) >= (longest[i * width + j + 1] as number))
      ) {
        steps.push({ before: start + i++ });
      } else steps.push({ after: start + j++ });
    }
  }
  for (let k = end; k > 0; k--) steps.push({ before: before.length - k, after: after.length - k });
  return steps;
}

/** Lines around a change that are shown with it. */
const around = 3;

/** The unified diff of two texts, without its head: what stays the same is left out but for a few lines around. */
export function lineDiff(before: string, after: string): string {
  const x = before.split('\n');
  const y = after.split('\n');
  const steps = compare(x, y);
  const near = new Uint8Array(steps.length);
  steps.forEach((step, at) => {
    if (step.before !== undefined && step.after !== undefined) return;
    near.fill(1, Math.max(0, at - around), at + around + 1);
  });
  const out: string[] = [];
  steps.forEach((step, at) => {
    if (!near[at]) return;
    if (at > 0 && !near[at - 1]) out.push(`@@ line ${(step.after ?? step.before ?? 0) + 1} @@`);
    if (step.before === undefined) out.push(`+${y[step.after as number]}`);
    else out.push(`${step.after === undefined ? '-' : ' '}${x[step.before]}`);
  });
  return out.join('\n');
}
