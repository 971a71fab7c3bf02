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
