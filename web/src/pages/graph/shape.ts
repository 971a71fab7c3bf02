import type { EntityGraph, EntityGraphNode } from '../../api/types';
import { parseRef, plain, shortRef } from '../../words/ref';

/** What is drawn as one: an entity, or several that are folded. */
export interface Box {
  id: string;
  label: string;
  note: string;
  /** Its colour. */
  kind: string;
  depth: number;
  refs: string[];
  folded: boolean;
  root: boolean;
  exists: boolean;
  more: boolean;
  cycle: boolean;
}

/** All relations between two boxes. It goes from the one that is nearer to the root to the one farther away. */
export interface Line {
  id: string;
  from: string;
  to: string;
  types: string[];
  /** Relations go that way, and the other way. */
  along: boolean;
  against: boolean;
  cycle: boolean;
}

export interface Shape {
  boxes: Box[];
  lines: Line[];
  /** The box in which each entity is. */
  within: Map<string, string>;
  /** Who owns what is not drawn, since the graph is large and would be little else. */
  ownerless: boolean;
}

/** Auto chooses what keeps a graph readable: nothing for a small one, systems or owners for a large one. */
export type Grouping = 'auto' | 'none' | 'system' | 'owner';

export interface Options {
  kinds?: Set<string>;
  relations?: Set<string>;
  group: Grouping;
  /** Ids of boxes that are unfolded. */
  open: Set<string>;
  /** Who owns what is drawn in a large graph, too. */
  ownership?: boolean;
}

/** So many leaves of a kind at the same entities are still drawn one by one. */
const leavesMost = 4;
/** So many boxes can be read; a graph of more entities is large. */
const boxesMost = 60;
/** So many groups, the largest, are boxes of their own. */
const groupsMost = 40;

/** Leaves hang on so many others at most. */
const othersMost = 3;

type Edges = EntityGraph['edges'];

/** What is drawn of a graph: filtered, then grouped, then folded until it can be read. */
export function shapeOf(graph: EntityGraph, options: Options): Shape {
  const large = graph.nodes.length > boxesMost;
  const shown = graph.nodes.filter((n) => n.ref === graph.root || !options.kinds || options.kinds.has(n.kind));
  const there = new Set(shown.map((n) => n.ref));
  const ownerless = large && !options.ownership && !options.relations && options.group !== 'none';
  const wanted = (e: Edges[number]) =>
    options.relations ? options.relations.has(e.type) : !ownerless || e.type !== 'ownedBy' || e.source === graph.root;
  const edges = graph.edges.filter((e) => there.has(e.source) && there.has(e.target) && wanted(e));
  const folds = new Folds(shown, options.open);
  const others = () => shown.filter((n) => n.ref !== graph.root && folds.single(n.ref));
  if (options.group !== 'none' && (large || options.group !== 'auto'))
    group(graph, options.group, edges, folds, others());
  for (const [id, members] of leaves(others(), edges))
    if (members.length > leavesMost) folds.put(id, `+${members.length} ${many(members[0]?.kind ?? '')}`, members);
  if (options.group !== 'none') crowd(folds, others, edges);
  return { ...drawn(graph, shown, edges, folds), within: folds.within, ownerless };
}

/** Which entities are drawn as one. */
class Folds {
  within = new Map<string, string>();
  told = new Map<string, { label: string; note: string; kind: string }>();
  private kept = new Set<string>();

  constructor(
    nodes: EntityGraphNode[],
    private open: Set<string>,
  ) {
    for (const n of nodes) this.within.set(n.ref, n.ref);
  }

  /** Folds entities, unless somebody unfolded just these; then no later fold takes them either. */
  put(id: string, label: string, members: EntityGraphNode[], note = '', kind = members[0]?.kind ?? '') {
    if (members.length < 2) return;
    if (this.open.has(id)) {
      for (const n of members) this.kept.add(n.ref);
      return;
    }
    this.told.set(id, { label, note, kind });
    for (const n of members) this.within.set(n.ref, id);
  }

  single(ref: string) {
    return this.within.get(ref) === ref;
  }

  free(ref: string) {
    return this.single(ref) && !this.kept.has(ref);
  }

  count() {
    return new Set(this.within.values()).size;
  }
}

/** Makes one box of each system with what is in it, or of each owner with what is theirs. */
function group(graph: EntityGraph, by: Grouping, edges: Edges, folds: Folds, nodes: EntityGraphNode[]) {
  const way = by === 'auto' ? (graph.nodes.some((n) => n.system) ? 'system' : 'owner') : by;
  const of = new Map<string, string>();
  const known = new Set(graph.nodes.map((n) => (way === 'system' ? n.system : n.owner)));
  for (const n of graph.nodes) {
    const own = (way === 'system' ? n.system : n.owner) || (known.has(n.ref) ? n.ref : '');
    if (own) of.set(n.ref, own);
  }
  // What has no system of its own is drawn in that of the entity which provides or uses it.
  if (way === 'system')
    for (const type of ['providesApi', 'dependsOn', 'consumesApi'])
      for (const e of edges) {
        const near = of.get(e.source);
        if (e.type === type && near && !of.has(e.target) && inherits.has(parseRef(e.target)?.kind ?? ''))
          of.set(e.target, near);
      }
  const titles = new Map(graph.nodes.map((n) => [n.ref, n.title]));
  const groups = gather(
    nodes.filter((n) => of.has(n.ref)),
    (n) => of.get(n.ref) ?? '',
  );
  for (const [name, members] of [...groups].sort(([, a], [, b]) => b.length - a.length).slice(0, groupsMost))
    folds.put(`in ${name}`, titles.get(name) || shortRef(name), members, ...(way === 'system' ? system : owner));
}

const system = ['System · # entities', 'System'] as const;
const owner = ['Owner of # entities', 'Group'] as const;

const inherits = new Set(['api', 'resource', 'component']);

/** Folds what is left where there is too much of it: what hangs nowhere, then what is far, then the smallest groups. */
function crowd(folds: Folds, others: () => EntityGraphNode[], edges: Edges) {
  const crowded = () => folds.count() > boxesMost;
  if (!crowded()) return;
  const joined = new Set(edges.flatMap((e) => (e.source === e.target ? [] : [e.source, e.target])));
  const free = () => others().filter((n) => folds.free(n.ref));
  for (const [kind, members] of gather(
    free().filter((n) => !joined.has(n.ref)),
    (n) => n.kind,
  ))
    folds.put(`alone ${kind}`, `+${members.length} ${many(kind)}`, members, 'not related to these');
  const far = [...gather(free(), (n) => `far ${n.depth} ${n.kind}`)].sort(
    ([, a], [, b]) => (b[0]?.depth ?? 0) - (a[0]?.depth ?? 0) || b.length - a.length,
  );
  for (const [id, members] of far) {
    if (!crowded()) return;
    const [n] = members;
    if (n && members.length > leavesMost)
      folds.put(
        id,
        `+${members.length} ${many(n.kind)}`,
        members,
        `${n.depth} ${n.depth === 1 ? 'step' : 'steps'} away`,
      );
  }
}

function drawn(graph: EntityGraph, shown: EntityGraphNode[], edges: Edges, folds: Folds) {
  const cyclic = new Map<string, number>();
  graph.cycles.forEach((c, i) => {
    for (const r of c.refs) cyclic.set(`${c.type} ${r}`, i);
  });
  const inCycle = new Set(graph.cycles.flatMap((c) => c.refs));
  const boxes = new Map<string, Box>();
  for (const n of shown) {
    const id = folds.within.get(n.ref) ?? n.ref;
    const box = boxes.get(id);
    if (box) {
      box.refs.push(n.ref);
      box.depth = Math.min(box.depth, n.depth);
      box.more ||= n.more ?? false;
      box.cycle ||= inCycle.has(n.ref);
      continue;
    }
    const folded = id !== n.ref;
    const told = folds.told.get(id);
    boxes.set(id, {
      id,
      label: told?.label ?? (n.title || shortRef(n.ref)),
      note: n.exists ? [n.kind, n.type].filter(Boolean).join(' · ') : `${n.kind} · not there`,
      kind: told?.kind ?? n.kind,
      depth: n.depth,
      refs: [n.ref],
      folded,
      root: n.ref === graph.root,
      exists: n.exists,
      more: n.more ?? false,
      cycle: inCycle.has(n.ref),
    });
  }
  for (const box of boxes.values())
    if (box.folded) box.note = folds.told.get(box.id)?.note.replace('#', String(box.refs.length)) || 'Unfold';
  const lines = new Map<string, Line>();
  for (const e of edges) {
    const source = folds.within.get(e.source) ?? e.source;
    const target = folds.within.get(e.target) ?? e.target;
    if (source === target) continue;
    const along = (boxes.get(source)?.depth ?? 0) <= (boxes.get(target)?.depth ?? 0);
    const [from, to] = along ? [source, target] : [target, source];
    const back = lines.get(`${to}->${from}`); // between boxes of one depth
    const line = back ?? lines.get(`${from}->${to}`) ?? none(from, to);
    lines.set(line.id, line);
    if (!line.types.includes(e.type)) line.types.push(e.type);
    if (along && !back) line.along = true;
    else line.against = true;
    const round = cyclic.get(`${e.type} ${e.source}`);
    line.cycle ||= round !== undefined && round === cyclic.get(`${e.type} ${e.target}`);
  }
  return { boxes: [...boxes.values()], lines: [...lines.values()] };
}

function none(from: string, to: string): Line {
  return { id: `${from}->${to}`, from, to, types: [], along: false, against: false, cycle: false };
}

/** Entities of a kind that hang on the same others, by the same relations: on one, or on a few. */
function leaves(nodes: EntityGraphNode[], edges: Edges) {
  const near = new Map<string, Map<string, string>>();
  const add = (a: string, b: string, by: string) => {
    const at = near.get(a) ?? new Map<string, string>();
    at.set(b, (at.get(b) ?? '') + by);
    near.set(a, at);
  };
  for (const e of edges) {
    if (e.source === e.target) continue;
    add(e.source, e.target, `>${e.type}`);
    add(e.target, e.source, `<${e.type}`);
  }
  const hanging = nodes.filter((n) => near.has(n.ref) && (near.get(n.ref)?.size ?? 0) <= othersMost);
  return gather(hanging, (n) => {
    const on = [...(near.get(n.ref) ?? [])].map(([other, by]) => `${other} ${by}`).sort();
    return `at ${on.join(' ')} ${n.kind}`;
  });
}

function gather<T>(items: T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const k = key(item);
    const list = groups.get(k);
    if (list) list.push(item);
    else groups.set(k, [item]);
  }
  return groups;
}

function many(kind: string): string {
  if (kind === 'API') return 'APIs';
  return `${kind.endsWith('y') ? `${kind.slice(0, -1)}ie` : kind}s`;
}

/** The boxes that a text occurs in, by name, title or kind of what they stand for. */
export function found(shape: Shape, graph: EntityGraph, text: string): Set<string> {
  if (!text.trim()) return new Set();
  return new Set(matching(graph, text).flatMap((n) => shape.within.get(n.ref) ?? []));
}

/** The entities that a text occurs in; all for none. */
export function matching(graph: EntityGraph, text: string): EntityGraphNode[] {
  const wanted = text.trim().toLowerCase();
  return graph.nodes.filter((n) => `${n.ref} ${n.title ?? ''} ${n.type ?? ''}`.toLowerCase().includes(wanted));
}

/** A box and those next to it. */
export function neighbours(shape: Shape, id: string): Set<string> {
  return new Set([id, ...shape.lines.flatMap((l) => (l.from === id ? [l.to] : l.to === id ? [l.from] : []))]);
}

/** The way from the root to an entity, in words: "shop, dependency of cart". */
export function wayTo(graph: EntityGraph, to: string): string {
  const by = new Map(graph.nodes.map((n) => [n.ref, n]));
  const steps: string[] = [];
  for (let n = by.get(to); n?.from && steps.length < 100; n = by.get(n.from))
    steps.unshift(`${plain(n.by ?? '')} ${shortRef(n.ref)}`);
  return steps.join(', ');
}

/** The kinds, or the types of relations, that there are, with how many. */
export function counted(values: string[]): { value: string; label: string }[] {
  return [...gather(values, (v) => v)]
    .sort((a, b) => b[1].length - a[1].length || a[0].localeCompare(b[0]))
    .map(([value, all]) => ({ value, label: `${value} (${all.length})` }));
}
