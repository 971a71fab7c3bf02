import type { Shape } from './shape';

export const width = 200;
export const height = 48;

/** From so many lines for each box on, or so many boxes, lines say little about where boxes belong. */
const linesMost = 2;
const boxesMost = 150;

/**
 * What elk lays out in its worker. Outward puts each step from the root into columns of its own. Where there are many
 * lines only the one by which each box is reached counts: that is laid out in no time, and keeps what belongs together
 * together.
 */
export function elkInput(shape: Shape, outward: boolean) {
  const simple = tangled(shape);
  const steps = outward && !simple; // elk joins all of a step with all of the next, which is too much of many
  const lines = simple ? tree(shape) : shape.lines;
  return {
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.layered.spacing.nodeNodeBetweenLayers': '80',
      'elk.spacing.nodeNode': '14',
      'elk.spacing.componentComponent': '28',
      'elk.separateConnectedComponents': String(!steps && !simple),
      'elk.partitioning.activate': String(steps),
      'elk.layered.nodePlacement.strategy': simple ? 'SIMPLE' : 'BRANDES_KOEPF',
      'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
      'elk.layered.thoroughness': simple ? '2' : '7',
    },
    children: shape.boxes.map((b) => ({
      id: b.id,
      width,
      height,
      ...(steps && { layoutOptions: { 'elk.partitioning.partition': String(b.depth) } }),
    })),
    edges: lines.map((l) =>
      simple || steps || l.along
        ? { id: l.id, sources: [l.from], targets: [l.to] }
        : { id: l.id, sources: [l.to], targets: [l.from] },
    ),
  };
}

const tangled = ({ boxes, lines }: Shape) => boxes.length > boxesMost || lines.length > linesMost * boxes.length;

/** Tells whether each step from the root has columns of its own. */
export const inSteps = (shape: Shape, outward: boolean) => outward || tangled(shape);

/**
 * Puts each step into a column, and breaks those with too many boxes into several, so that the picture has about the shape of a screen.
 * Boxes stay in the order from top to bottom in which elk put them.
 */
export function wrapped(shape: Shape, places: Places): Places {
  const rows = Math.max(12, Math.ceil(1.5 * Math.sqrt(shape.boxes.length)));
  const steps = new Map<number, string[]>();
  for (const b of shape.boxes) {
    const step = steps.get(b.depth);
    if (step) step.push(b.id);
    else steps.set(b.depth, [b.id]);
  }
  if (!tangled(shape) && ![...steps.values()].some((ids) => ids.length > rows)) return places;
  const out: Places = new Map();
  let x = 0;
  for (const [, ids] of [...steps].sort(([a], [b]) => a - b)) {
    ids.sort((a, b) => (places.get(a)?.y ?? 0) - (places.get(b)?.y ?? 0));
    const wide = Math.ceil(ids.length / rows);
    const deep = Math.ceil(ids.length / wide);
    ids.forEach((id, i) => {
      const column = Math.floor(i / deep);
      const inColumn = Math.min(deep, ids.length - column * deep);
      out.set(id, { x: x + column * (width + 40), y: ((i % deep) - inColumn / 2) * (height + 14) });
    });
    x += wide * (width + 40) + 60;
  }
  return out;
}

/** One line to each box, from one that is nearer. */
function tree(shape: Shape) {
  const depth = new Map(shape.boxes.map((b) => [b.id, b.depth]));
  const reached = new Set<string>();
  return shape.lines.filter((l) => {
    if (reached.has(l.to) || (depth.get(l.from) ?? 0) >= (depth.get(l.to) ?? 0)) return false;
    reached.add(l.to);
    return true;
  });
}

export type Places = Map<string, { x: number; y: number }>;

/** Where a line leaves and arrives: on the sides that face each other. */
export function sides(places: Places, from: string, to: string): { source: 'l' | 'r'; target: 'l' | 'r' } {
  const a = places.get(from)?.x ?? 0;
  const b = places.get(to)?.x ?? 0;
  if (b >= a + width) return { source: 'r', target: 'l' };
  if (a >= b + width) return { source: 'l', target: 'r' };
  return { source: 'r', target: 'r' };
}

/** The columns of a picture that goes outward, by the steps from the root. */
export function columns(shape: Shape, places: Places) {
  const all = new Map<number, { depth: number; x: number; count: number }>();
  let top = Infinity;
  for (const box of shape.boxes) {
    const place = places.get(box.id);
    if (!place) continue;
    top = Math.min(top, place.y);
    const column = all.get(box.depth) ?? { depth: box.depth, x: place.x, count: 0 };
    column.x = Math.min(column.x, place.x);
    column.count += box.refs.length;
    all.set(box.depth, column);
  }
  return { top, all: [...all.values()].filter((c) => c.depth > 0) };
}
