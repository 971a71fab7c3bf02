/** A piece of a line, and whether it differs from the other line. */
export interface Piece {
  text: string;
  changed: boolean;
}

/** Pieces above which a line is taken as changed as a whole. */
const most = 400;

const pieces = (text: string) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];

/**
 * Marks the words by which two lines differ. Undefined when they have too little in common, so that marks would only
 * be in the way, or are too long.
 */
export function markWords(before: string, after: string): { before: Piece[]; after: Piece[] } | undefined {
  const a = pieces(before);
  const b = pieces(after);
  if (a.length > most || b.length > most) return undefined;
  // The longest common sequence, from the ends on inwards: equal beginnings and ends need no table.
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const n = a.length - head - tail;
  const m = b.length - head - tail;
  const table: Uint16Array[] = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      const row = table[i] as Uint16Array;
      const next = table[i + 1] as Uint16Array;
      row[j] =
        a[head + i] === b[head + j] ? (next[j + 1] as number) + 1 : Math.max(next[j] as number, row[j + 1] as number);
    }
  }
  const keptA = new Set<number>();
  const keptB = new Set<number>();
  for (let i = 0, j = 0; i < n && j < m; ) {
    if (a[head + i] === b[head + j]) {
      keptA.add(head + i++);
      keptB.add(head + j++);
    } else if (((table[i + 1] as Uint16Array)[j] as number) >= ((table[i] as Uint16Array)[j + 1] as number)) i++;
    else j++;
  }
  const same = (kept: Set<number>, all: string[], i: number) => i < head || i >= all.length - tail || kept.has(i);
  const common = a.filter((text, i) => same(keptA, a, i) && text.trim()).join('').length;
  if (common * 4 < Math.min(before.trim().length, after.trim().length)) return undefined;
  return { before: joined(a, (i) => same(keptA, a, i)), after: joined(b, (i) => same(keptB, b, i)) };
}

function joined(all: string[], same: (i: number) => boolean): Piece[] {
  const out: Piece[] = [];
  all.forEach((text, i) => {
    const changed = !same(i);
    const last = out[out.length - 1];
    if (last && last.changed === changed) last.text += text;
    else out.push({ text, changed });
  });
  return out;
}

/** A piece of a line with the class that colours it. */
export interface Coloured {
  text: string;
  kind?: string;
}

/** The pieces of a line by its colours and by what changed in it. */
export function overlay(text: string, colours?: Coloured[], marks?: Piece[]): (Coloured & { changed: boolean })[] {
  const out: (Coloured & { changed: boolean })[] = [];
  const left = colours?.map((c) => c.text).join('') === text ? [...(colours as Coloured[])] : [{ text }];
  for (const mark of marks ?? [{ text, changed: false }]) {
    let rest = mark.text.length;
    while (rest > 0 && left.length > 0) {
      const piece = left.shift() as Coloured;
      const taken = piece.text.slice(0, rest);
      if (taken.length < piece.text.length) left.unshift({ ...piece, text: piece.text.slice(rest) });
      rest -= taken.length;
      if (taken) out.push({ ...piece, text: taken, changed: mark.changed });
    }
  }
  return out;
}
