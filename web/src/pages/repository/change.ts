/** Lines above which a change is shown as a whole, so that it is told in a moment. */
const most = 4_000;

/** The lines of a text, each with what ends it, so that a change of ends is one. */
const split = (text: string) => (text === '' ? [] : text.split(/(?<=\n)/));

/** Which lines of two texts are the same, in order: pairs of their places. Found by the shortest edit (Myers). */
function common(a: string[], b: string[]): [number, number][] {
  const max = a.length + b.length;
  let reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= max; d++) {
    trace.push(reach);
    const next = new Map(reach);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      next.set(k, x);
      if (x >= a.length && y >= b.length) return back(trace, a.length, b.length);
    }
    reach = next;
    if (d > 600) return []; // so much differs that nothing of it helps
  }
  return [];
}

function back(trace: Map<number, number>[], x: number, y: number): [number, number][] {
  const out: [number, number][] = [];
  for (let d = trace.length - 1; d >= 0; d--) {
    const reach = trace[d] as Map<number, number>;
    const k = x - y;
    const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const px = reach.get(before) ?? 0;
    const py = px - before;
    while (x > px && y > py && x > 0 && y > 0) {
      x--;
      y--;
      out.push([x, y]);
    }
    x = px;
    y = py;
  }
  return out.reverse();
}

const context = 3;

/** What changes between two texts, as the hunks of a unified diff; '' when nothing does. */
export function patchOf(before: string, after: string): { patch: string; additions: number; deletions: number } {
  const a = split(before);
  const b = split(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const same = left.length + right.length > most ? [] : common(left, right);
  const lines: { sign: ' ' | '-' | '+'; text: string }[] = a.slice(0, start).map((text) => ({ sign: ' ', text }));
  let [i, j] = [0, 0];
  for (const [x, y] of [...same, [left.length, right.length] as const]) {
    while (i < x) lines.push({ sign: '-', text: left[i++] ?? '' });
    while (j < y) lines.push({ sign: '+', text: right[j++] ?? '' });
    if (x < left.length || y < right.length) lines.push({ sign: ' ', text: left[x] ?? '' });
    [i, j] = [x + 1, y + 1];
  }
  for (const text of a.slice(a.length - end)) lines.push({ sign: ' ', text });
  return hunksOf(lines);
}

function hunksOf(lines: { sign: ' ' | '-' | '+'; text: string }[]) {
  const out: string[] = [];
  let [old, now, additions, deletions] = [1, 1, 0, 0];
  const near = new Uint8Array(lines.length);
  lines.forEach((line, i) => {
    if (line.sign === ' ') return;
    for (let n = Math.max(0, i - context); n <= Math.min(lines.length - 1, i + context); n++) near[n] = 1;
  });
  for (let i = 0; i < lines.length; ) {
    if (!near[i]) {
      old++;
      now++;
      i++;
      continue;
    }
    let to = i;
    while (to < lines.length && near[to]) to++;
    const hunk = lines.slice(i, to);
    const removed = hunk.filter((l) => l.sign !== '+').length;
    const added = hunk.filter((l) => l.sign !== '-').length;
    out.push(`@@ -${removed ? old : old - 1},${removed} +${added ? now : now - 1},${added} @@\n`);
    for (const { sign, text } of hunk) {
      if (sign === '+') additions++;
      if (sign === '-') deletions++;
      out.push(sign + text);
      if (!text.endsWith('\n')) out.push('\n\\ No newline at end of file\n');
    }
    old += removed;
    now += added;
    i = to;
  }
  return { patch: out.join(''), additions, deletions };
}
