/** A line of a unified diff, with its numbers in the two files. */
export interface DiffLine {
  kind: 'same' | 'added' | 'removed' | 'place' | 'note';
  text: string;
  old?: number;
  new?: number;
}

/** Reads the hunks of one file's patch. */
export function parseHunks(patch: string): DiffLine[] {
  const out: DiffLine[] = [];
  if (!patch) return out;
  let old = 0;
  let now = 0;
  for (const line of patch.replace(/\n$/, '').split('\n')) {
    const place = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (place) {
      old = Number(place[1]);
      now = Number(place[2]);
      out.push({ kind: 'place', text: line });
      continue;
    }
    const text = line.slice(1);
    if (line.startsWith('+')) out.push({ kind: 'added', text, new: now++ });
    else if (line.startsWith('-')) out.push({ kind: 'removed', text, old: old++ });
    else if (line.startsWith('\\')) out.push({ kind: 'note', text: line });
    else out.push({ kind: 'same', text, old: old++, new: now++ });
  }
  return out;
}

/** A row of the two files side by side. */
export interface Pair {
  left?: DiffLine;
  right?: DiffLine;
}

/** Puts what was removed beside what was added in its place. */
export function sideBySide(lines: DiffLine[]): Pair[] {
  const out: Pair[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i++) out.push({ left: removed[i], right: added[i] });
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === 'removed') {
      if (added.length > 0) flush();
      removed.push(line);
    } else if (line.kind === 'added') added.push(line);
    else if (line.kind === 'note') {
      flush();
      out.push({ left: line, right: line });
    } else {
      flush();
      out.push({ left: line, right: line });
    }
  }
  flush();
  return out;
}

/** Where a comment on a line stands: in the new file, or in the old one. */
export const lineKey = (path: string, line: number, old: boolean) => `${old ? 'old' : 'new'} ${line} ${path}`;

/** Lines of a file that a diff leaves out, between two hunks or around them. */
export interface Gap {
  /** In the new file, from 1; the last is 0 while nobody knows how long the file is. */
  first: number;
  last: number;
  /** What to add to a number in the new file for the one in the old file. */
  shift: number;
}

/** A hunk with the gap before it. */
export interface Part {
  gap: Gap;
  place: string;
  lines: DiffLine[];
}

/** Divides the lines of a patch at its hunks, and tells the gaps; the last one, without lines, is up to the file's end. */
export function partsOf(lines: DiffLine[]): Part[] {
  const out: Part[] = [];
  let next = 1;
  for (const line of lines) {
    if (line.kind === 'place') {
      const m = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line.text);
      const now = Number(m?.[3]) + (m?.[4] === '0' ? 1 : 0);
      const old = Number(m?.[1]) + (m?.[2] === '0' ? 1 : 0);
      out.push({ gap: { first: next, last: now - 1, shift: old - now }, place: line.text, lines: [] });
      continue;
    }
    const part = out[out.length - 1];
    if (!part) continue;
    part.lines.push(line);
    if (line.new !== undefined) next = line.new + 1;
  }
  let old = 0;
  let now = 0;
  for (const line of lines) {
    if (line.old !== undefined) old = line.old;
    if (line.new !== undefined) now = line.new;
  }
  if (out.length > 0) out.push({ gap: { first: now + 1, last: 0, shift: old - now }, place: '', lines: [] });
  return out;
}

/** Lines of a gap as lines of the diff. */
export function gapLines(text: string[], first: number, last: number, shift: number): DiffLine[] {
  const out: DiffLine[] = [];
  for (let n = first; n <= last; n++) out.push({ kind: 'same', text: text[n - 1] ?? '', old: n + shift, new: n });
  return out;
}
