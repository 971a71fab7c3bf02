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

/** How the filter names what is in no module. */
export const rootModule = 'root';

/** Whether a change is of a module, or of one within it. */
const within = (change: PlanChange, module: string) =>
  module === rootModule ? !change.module : change.module === module || !!change.module?.startsWith(`${module}.`);

/** The modules of what changes, by name, and how many changes are in each and in those within it. */
export function modulesOf(changes: PlanChange[]): { name: string; n: number }[] {
  const own = new Map<string, number>();
  for (const c of changes) {
    const name = c.module || rootModule;
    if (!unchanged.has(c.action)) own.set(name, (own.get(name) ?? 0) + 1);
  }
  const n = new Map(own);
  for (const [name, some] of own) {
    for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
      const outer = name.slice(0, dot);
      const had = n.get(outer);
      if (had !== undefined && outer !== rootModule) n.set(outer, had + some);
    }
  }
  const names = [...n.keys()].filter((name) => name !== rootModule).sort();
  if (n.has(rootModule)) names.unshift(rootModule);
  return names.map((name) => ({ name, n: n.get(name) as number }));
}

export interface PlanFilter {
  action?: string;
  module?: string;
  type?: string;
  text?: string;
}

/** The types of what changes with their counts: first those of which something goes, then by how many there are. */
export function typesOf(changes: PlanChange[]): { type: string; n: Record<PlanGroup, number> }[] {
  const by = new Map<string, PlanChange[]>();
  for (const c of changes) {
    if (!c.type || unchanged.has(c.action)) continue;
    const same = by.get(c.type);
    if (same) same.push(c);
    else by.set(c.type, [c]);
  }
  const all = [...by].map(([type, same]) => ({ type, n: counts(same), total: same.length }));
  const gone = (n: Record<PlanGroup, number>) => n.delete + n.replace;
  return all
    .toSorted((a, b) => gone(b.n) - gone(a.n) || b.total - a.total || (a.type < b.type ? -1 : 1))
    .map(({ type, n }) => ({ type, n }));
}

/** What becomes of the resources of a type, in words. */
export const sayType = (type: string, n: Record<PlanGroup, number>) =>
  `${type}: ${planGroups
    .filter((g) => n[g.name] > 0)
    .map((g) => `${n[g.name]} ${g.label}`)
    .join(', ')}`;

/** The changes (of those that change something) of an action, a module and a type whose address or type holds every word. */
export function filterPlan(changes: PlanChange[], { action, module, type, text = '' }: PlanFilter): PlanChange[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return changes.filter((c) => {
    if (unchanged.has(c.action)) return false;
    if (module && !within(c, module)) return false;
    if (type && c.type !== type) return false;
    if (action && groupOf(c.action) !== action) return false;
    const where = `${c.address} ${c.previousAddress ?? ''} ${c.type ?? ''}`.toLowerCase();
    return words.every((w) => where.includes(w));
  });
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
