import { expect, it } from 'vitest';
import type { EntityGraph } from '../../api/types';
import { columns, elkInput, sides, wrapped } from './plan';
import { counted, found, matching, neighbours, shapeOf, wayTo } from './shape';

const node = (ref: string, kind: string, depth: number, more: object = {}) => ({
  ref,
  kind,
  depth,
  exists: true,
  ...more,
});
const edge = (source: string, type: string, target: string) => ({ source, type, target });
const apis = Array.from({ length: 23 }, (_, i) => `api:default/a${i}`);
const graph: EntityGraph = {
  root: 'component:default/shop',
  nodes: [
    node('component:default/shop', 'Component', 0),
    node('component:default/cart', 'Component', 1, {
      from: 'component:default/shop',
      by: 'dependencyOf',
      system: 'system:default/bank',
    }),
    node('component:default/pay', 'Component', 2, {
      from: 'component:default/cart',
      by: 'dependencyOf',
      system: 'system:default/bank',
    }),
    node('resource:default/db', 'Resource', 1, { from: 'component:default/shop', by: 'dependsOn', title: 'Orders' }),
    ...apis.map((a) => node(a, 'API', 1, { from: 'component:default/shop', by: 'providesApi' })),
  ],
  edges: [
    edge('component:default/cart', 'dependsOn', 'component:default/shop'),
    edge('component:default/pay', 'dependsOn', 'component:default/cart'),
    edge('component:default/shop', 'dependsOn', 'component:default/pay'),
    edge('component:default/shop', 'dependsOn', 'resource:default/db'),
    ...apis.map((a) => edge('component:default/shop', 'providesApi', a)),
  ],
  cycles: [{ type: 'dependsOn', refs: ['component:default/cart', 'component:default/pay', 'component:default/shop'] }],
  cut: false,
};
const plainly = { group: 'none' as const, open: new Set<string>() };

it('folds the leaves of an entity, and unfolds them when asked', () => {
  const shape = shapeOf(graph, plainly);
  expect(shape.boxes.map((b) => b.label)).toEqual(['shop', 'cart', 'pay', 'Orders', '+23 APIs']);
  const fold = shape.boxes.find((b) => b.folded);
  expect(fold?.refs).toEqual(apis);
  expect(shapeOf(graph, { ...plainly, open: new Set([fold?.id ?? '']) }).boxes).toHaveLength(27);
});

it('marks cycles', () => {
  const lines = shapeOf(graph, plainly).lines;
  expect(lines.filter((l) => l.cycle)).toHaveLength(3);
  expect(lines.find((l) => l.to === 'resource:default/db')?.cycle).toBe(false);
});

it('groups by system and joins the relations of what is grouped', () => {
  const shape = shapeOf(graph, { ...plainly, group: 'system' });
  expect(shape.boxes.find((b) => b.id === 'in system:default/bank')).toMatchObject({ label: 'bank', folded: true });
  const joined = shape.lines.filter((l) => [l.from, l.to].includes('in system:default/bank'));
  expect(joined).toMatchObject([{ types: ['dependsOn'], along: true, against: true }]);
});

it('filters by kind and relation, finds, and tells ways', () => {
  const shape = shapeOf(graph, { ...plainly, kinds: new Set(['Component']), relations: new Set(['dependsOn']) });
  expect(shape.boxes).toHaveLength(3);
  const all = shapeOf(graph, plainly);
  expect([...found(all, graph, 'orders')]).toEqual(['resource:default/db']);
  expect(found(all, graph, 'a22').size).toBe(1);
  expect(matching(graph, 'a2').map((n) => n.ref)).toEqual([
    'api:default/a2',
    'api:default/a20',
    'api:default/a21',
    'api:default/a22',
  ]);
  expect(neighbours(all, 'component:default/cart').size).toBe(3);
  expect(wayTo(graph, 'component:default/pay')).toBe('dependency of cart, dependency of pay');
  expect(counted(['b', 'a', 'a'])[0]).toEqual({ value: 'a', label: 'a (2)' });
});

it('joins the relations between two boxes in a line from the nearer to the farther, whichever way they go', () => {
  const line = shapeOf(graph, plainly).lines.find((l) => l.to === 'component:default/cart');
  expect(line).toMatchObject({ from: 'component:default/shop', along: false, against: true });
});

/** Five hundred services around one, in as many systems as asked for, each owned by one of twenty teams. */
function large(systems: number): EntityGraph {
  const services = Array.from({ length: 480 }, (_, i) => `component:default/s${i}`);
  const teams = Array.from({ length: 20 }, (_, i) => `group:default/t${i}`);
  return {
    root: 'component:default/s0',
    nodes: [
      ...services.map((s, i) =>
        node(s, 'Component', Math.ceil(i / 60), systems ? { system: `system:default/y${i % systems}` } : {}),
      ),
      ...teams.map((t) => node(t, 'Group', 1)),
    ],
    edges: services.flatMap((s, i) => [
      edge(s, 'ownedBy', `group:default/t${i % 20}`),
      ...(i > 0 ? [edge(s, 'dependsOn', `component:default/s${Math.floor(i / 3)}`)] : []),
      ...(i > 3 ? [edge(s, 'dependsOn', `component:default/s${(i * 7) % i}`)] : []),
    ]),
    cycles: [],
    cut: false,
  };
}

it('keeps a graph of five hundred entities readable: grouped, without ownership, and folded where that is not enough', () => {
  for (const systems of [0, 12, 200]) {
    const shape = shapeOf(large(systems), { group: 'auto', open: new Set() });
    expect(shape.boxes.length).toBeLessThanOrEqual(60);
    expect(shape.boxes.reduce((sum, b) => sum + b.refs.length, 0)).toBe(500);
    expect(shape.ownerless).toBe(true);
    expect(shape.lines.some((l) => l.types.includes('ownedBy') && l.from !== 'component:default/s0')).toBe(false);
  }
  expect(shapeOf(large(12), { group: 'none', open: new Set() }).boxes.length).toBeGreaterThan(400);
  const owned = shapeOf(large(12), { group: 'auto', open: new Set(), ownership: true });
  expect(owned.ownerless).toBe(false);
  expect(owned.lines.some((l) => l.types.includes('ownedBy'))).toBe(true);
});

it('shows what somebody unfolded, however much that is', () => {
  const folded = shapeOf(large(12), { group: 'auto', open: new Set() });
  const [box] = folded.boxes.filter((b) => b.folded);
  const shape = shapeOf(large(12), { group: 'auto', open: new Set([box?.id ?? '']) });
  for (const ref of box?.refs ?? []) expect(shape.within.get(ref)).toBe(ref);
});

it('lays a tangle out by the way to each box, in columns by steps', () => {
  const shape = shapeOf(large(0), { group: 'none', open: new Set() });
  const input = elkInput(shape, false);
  expect(shape.lines.length).toBeGreaterThan(2 * 400);
  expect(input.edges.length).toBeLessThan(shape.boxes.length);
  const small = shapeOf(graph, plainly);
  expect(elkInput(small, false).edges).toContainEqual(expect.objectContaining({ sources: ['component:default/cart'] }));
  expect(elkInput(small, true).children[0]).toMatchObject({
    layoutOptions: { 'elk.partitioning.partition': '0' },
  });
  const tall = wrapped(shape, new Map(shape.boxes.map((b, i) => [b.id, { x: 0, y: i }])));
  expect(tall.size).toBe(500);
  expect(new Set([...tall.values()].map((p) => `${p.x} ${p.y}`)).size).toBe(500);
  expect(new Set([...tall.values()].map((p) => p.y)).size).toBeLessThan(150);
  const places = new Map(small.boxes.map((b) => [b.id, { x: b.depth * 300, y: 0 }]));
  expect(columns(small, places).all.map((c) => [c.depth, c.x, c.count])).toEqual([
    [1, 300, 25],
    [2, 600, 1],
  ]);
  expect(sides(places, 'component:default/shop', 'component:default/pay')).toEqual({ source: 'r', target: 'l' });
  expect(sides(places, 'component:default/pay', 'component:default/shop')).toEqual({ source: 'l', target: 'r' });
});
