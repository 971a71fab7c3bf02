import { compare, lineDiff } from './lines';

export interface Attribute {
  path: string;
  before?: string;
  after?: string;
  unknown?: boolean;
  /** How a text of several lines changes, by line. */
  diff?: string;
}

type Fields = Record<string, unknown>;

const isObject = (v: unknown): v is Fields => v !== null && typeof v === 'object' && !Array.isArray(v);

/** A longer value is written over several lines. */
const short = 60;
/** A longer text is not looked into. */
const longest = 500_000;

/** A value as it is shown: a text as it is, JSON in it so that it can be read. */
function show(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const inner = typeof value === 'string' ? parsed(value) : value;
  if (inner === undefined) return value as string;
  const line = JSON.stringify(inner);
  return line.length <= short ? line : JSON.stringify(inner, null, 2);
}

/** JSON that is nested deeper is shown as it is written. */
const deepest = 200;

function isDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '[' || c === '{') {
      if (++depth > deepest) return true;
    } else if (c === ']' || c === '}') depth--;
  }
  return false;
}

/** What a text of JSON holds, if that is an object or a list. */
function parsed(text: string): unknown {
  if (text.length > longest || !/^\s*[[{]/.test(text) || isDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A value as text in which the order of its fields doesn't count. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    isObject(v) ? Object.fromEntries(Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : 1))) : v,
  );
}

function holdsUnknown(mark: unknown): boolean {
  if (mark === true) return true;
  return mark !== null && typeof mark === 'object' && Object.values(mark).some(holdsUnknown);
}

/** What an object has itself: a key may be called toString. */
const own = (fields: Fields, key: string) => (Object.hasOwn(fields, key) ? fields[key] : undefined);

const empty: Fields = {};

/** The attributes that differ, by their path. Those known only after apply say so. */
export function attributes(before: unknown, after: unknown, unknown: unknown, path = ''): Attribute[] {
  if (unknown === true) return [{ path, before: show(before), unknown: true }];
  if (isObject(before) || isObject(after) || isObject(unknown)) {
    const b = isObject(before) ? before : empty;
    const a = isObject(after) ? after : empty;
    const u = isObject(unknown) ? unknown : empty;
    const keys = [...new Set([...Object.keys(b), ...Object.keys(a), ...Object.keys(u)])].sort();
    const odd = [before, after].some((v) => v !== undefined && v !== null && !isObject(v));
    if (odd) return texts(before, after, path); // one of them is something else, such as a mask
    return keys.flatMap((k) => attributes(own(b, k), own(a, k), own(u, k), path ? `${path}.${k}` : k));
  }
  if (Array.isArray(unknown) && holdsUnknown(unknown)) {
    const b: unknown[] = Array.isArray(before) ? before : [];
    const a: unknown[] = Array.isArray(after) ? after : [];
    const n = Math.max(b.length, a.length, unknown.length);
    return Array.from({ length: n }, (_, i) => attributes(b[i], a[i], unknown[i], `${path}[${i}]`)).flat();
  }
  if (Array.isArray(before) && Array.isArray(after)) return elements(before, after, path);
  return texts(before, after, path);
}

/** What differs of two lists: what is in both stays out, wherever it stands now. */
function elements(before: unknown[], after: unknown[], path: string): Attribute[] {
  const out: Attribute[] = [];
  let gone: number[] = [];
  let come: number[] = [];
  const flush = () => {
    const pairs = Math.min(gone.length, come.length);
    for (let k = 0; k < pairs; k++) {
      const j = come[k] as number;
      out.push(...attributes(before[gone[k] as number], after[j], false, `${path}[${j}]`));
    }
    for (const i of gone.slice(pairs)) out.push({ path: `${path}[${i}]`, before: show(before[i]) ?? 'null' });
    for (const j of come.slice(pairs)) out.push({ path: `${path}[${j}]`, after: show(after[j]) ?? 'null' });
    gone = [];
    come = [];
  };
  for (const step of compare(before.map(canonical), after.map(canonical))) {
    if (step.before !== undefined && step.after !== undefined) flush();
    else if (step.before !== undefined) gone.push(step.before);
    else come.push(step.after as number);
  }
  flush();
  return out;
}

/** What differs of two texts, or of what else is no list and no object. */
function texts(before: unknown, after: unknown, path: string): Attribute[] {
  if (typeof before === 'string' && typeof after === 'string') {
    if (before === after) return [];
    const x = parsed(before);
    const y = parsed(after);
    if (x !== undefined && y !== undefined && Array.isArray(x) === Array.isArray(y)) {
      const rows = attributes(x, y, false, path);
      return rows.length > 0 ? rows : [{ path, before, after }]; // written otherwise alone
    }
    if (before.includes('\n') || after.includes('\n')) {
      return [{ path, before, after, diff: lineDiff(before, after) }];
    }
  }
  if (canonical(before ?? null) === canonical(after ?? null)) return [];
  return [{ path, before: show(before), after: show(after) }];
}

/** Whether an attribute is one of those that force a replacement, or within one, or around one. */
export function forces(path: string, replacing: string[] | undefined): boolean {
  const within = (inner: string, outer: string) => {
    if (!inner.startsWith(outer)) return false;
    const next = inner[outer.length];
    return next === undefined || next === '.' || next === '[';
  };
  return (replacing ?? []).some((r) => within(path, r) || within(r, path));
}
