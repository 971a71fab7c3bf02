/** The lines of a text, without what ends the last one. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Lines that are pointed at: from and to, both counted from 1. */
export type Range = [number, number];

/** Reads #L10 and #L10-L20. */
export function rangeOf(hash: string): Range | undefined {
  const found = /^#?L(\d{1,7})(?:-L?(\d{1,7}))?$/.exec(hash);
  if (!found) return undefined;
  const from = Number(found[1]);
  const to = Number(found[2] ?? found[1]);
  return from < 1 || to < 1 ? undefined : [Math.min(from, to), Math.max(from, to)];
}

export const hashOf = ([from, to]: Range) => (from === to ? `L${from}` : `L${from}-L${to}`);

/** What a path leads to, from the folder of a file; undefined for what is elsewhere. */
export function within(folder: string, link: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link) || link.startsWith('//') || link.startsWith('#')) return undefined;
  const [path = ''] = link.split(/[?#]/);
  if (path === '') return undefined;
  const parts = path.startsWith('/') ? [] : folder.split('/').filter(Boolean);
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.length === 0) return undefined;
      parts.pop();
      continue;
    }
    try {
      parts.push(decodeURIComponent(part));
    } catch {
      parts.push(part);
    }
  }
  return parts.join('/') + (path.endsWith('/') ? '/' : '');
}

/** What ends the lines of a text; undefined when they end differently. */
export function endingOf(text: string): '\n' | '\r\n' | undefined {
  const all = text.split('\n').length - 1;
  const windows = text.split('\r\n').length - 1;
  if (/\r(?!\n)/.test(text)) return undefined;
  if (windows === 0) return '\n';
  return windows === all ? '\r\n' : undefined;
}

/** A name for a branch that a person edits a file on. */
export function branchFor(person: string, path: string, now: Date): string {
  const clean = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40) || 'edit';
  const stamp = now.toISOString().replace(/[-:T]/g, '').slice(4, 14);
  return `${clean(person)}/${clean(path.slice(path.lastIndexOf('/') + 1))}-${stamp}`;
}
