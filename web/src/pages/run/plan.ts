import type { PlanChange } from '../../api/types';

export type PlanGroup = 'create' | 'update' | 'delete' | 'replace' | 'other';

export const planGroups: { name: PlanGroup; label: string; sign: string }[] = [
  { name: 'create', label: 'created', sign: '+' },
  { name: 'update', label: 'changed', sign: '~' },
  { name: 'delete', label: 'destroyed', sign: '−' },
  { name: 'replace', label: 'replaced', sign: '±' },
  { name: 'other', label: 'other', sign: '·' },
];

export function groupOf(action: string): PlanGroup {
  return action === 'create' || action === 'update' || action === 'delete' || action === 'replace' ? action : 'other';
}

const unchanged = new Set(['no-op', 'read']);

/** How many changes there are of each kind; what stays as it is isn't counted. */
export function counts(changes: PlanChange[]): Record<PlanGroup, number> {
  const n: Record<PlanGroup, number> = { create: 0, update: 0, delete: 0, replace: 0, other: 0 };
  for (const c of changes) if (!unchanged.has(c.action)) n[groupOf(c.action)]++;
  return n;
}

/** The changes of an action (all that change something when it is empty) whose address or type holds every word. */
export function filterPlan(changes: PlanChange[], action: string | undefined, text: string): PlanChange[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return changes.filter((c) => {
    if (unchanged.has(c.action)) return false;
    if (action && groupOf(c.action) !== action) return false;
    const where = `${c.address} ${c.previousAddress ?? ''} ${c.type ?? ''}`.toLowerCase();
    return words.every((w) => where.includes(w));
  });
}

export interface Attribute {
  path: string;
  before?: string;
  after?: string;
  unknown?: boolean;
}

const isObject = (v: unknown): v is Record<string, unknown> => v !== null && typeof v === 'object' && !Array.isArray(v);
const show = (v: unknown) => (v === undefined ? undefined : typeof v === 'string' ? v : JSON.stringify(v));

/** The attributes that differ, by their path. Those known only after apply say so. */
export function attributes(before: unknown, after: unknown, unknown: unknown, path = ''): Attribute[] {
  if (unknown === true) return [{ path, before: show(before ?? undefined), unknown: true }];
  if (isObject(before) || isObject(after) || isObject(unknown)) {
    const b = isObject(before) ? before : {};
    const a = isObject(after) ? after : {};
    const u = isObject(unknown) ? unknown : {};
    const keys = [...new Set([...Object.keys(b), ...Object.keys(a), ...Object.keys(u)])].sort();
    return keys.flatMap((k) => attributes(b[k], a[k], u[k], path ? `${path}.${k}` : k));
  }
  if (Array.isArray(unknown) && unknown.some(Boolean)) {
    const b = Array.isArray(before) ? before : [];
    const a = Array.isArray(after) ? after : [];
    return unknown.flatMap((u, i) => attributes(b[i], a[i], u, `${path}[${i}]`));
  }
  const x = show(before ?? undefined);
  const y = show(after ?? undefined);
  return x === y ? [] : [{ path, before: x, after: y }];
}

const bare = /^[\w.:/@-]+$/;

/** The command that plans anew what is chosen. */
export function replanCommand(id: string, addresses: string[]): string {
  const quoted = addresses.map((a) => (bare.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`));
  return ['roadbed run replan', id, ...(quoted.length ? quoted : ['ADDRESS']).map((a) => `--target ${a}`)].join(' ');
}

/** Money as people read it, with its sign where it is a difference. */
export function money(amount: number, currency: string, signed = false): string {
  const text = new Intl.NumberFormat('en', {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
    signDisplay: signed ? 'exceptZero' : 'auto',
  }).format(amount);
  return `${text} ${currency}`;
}
