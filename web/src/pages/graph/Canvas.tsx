import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  MiniMap,
  type Node,
  Panel,
  Position,
  ReactFlow,
  useReactFlow,
  useStore,
  useStoreApi,
} from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { Loader, Text, useComputedColorScheme } from '@mantine/core';
import { memo, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import type { Layouts } from '../../graph/elk';
import { plain } from '../../words/ref';
import classes from './graph.module.css';
import { columns, elkInput, height, inSteps, type Places, sides, width, wrapped } from './plan';
import { type Box, neighbours, type Shape } from './shape';

type BoxNode = Node<{ box: Box; choose: (box: Box) => void; chosen: boolean }, 'box'>;
type StepNode = Node<{ depth: number; count: number }, 'step'>;
type Drawn = BoxNode | StepNode;

const Sides = memo(function Sides({ type }: { type: 'source' | 'target' }) {
  return (
    <>
      <Handle id="l" type={type} position={Position.Left} isConnectable={false} />
      <Handle id="r" type={type} position={Position.Right} isConnectable={false} />
    </>
  );
});

const BoxView = memo(function BoxView({ data: { box, choose, chosen } }: { data: BoxNode['data'] }) {
  return (
    <>
      <Sides type="target" />
      <button
        type="button"
        className={`${classes.box} nodrag nopan`}
        data-kind={box.kind}
        data-folded={box.folded || undefined}
        data-root={box.root || undefined}
        data-absent={!box.exists || undefined}
        aria-pressed={box.folded ? undefined : chosen}
        onClick={() => choose(box)}
        title={box.folded ? `${box.refs.length} entities: unfold` : box.id}
      >
        <span className={classes.label}>{box.label}</span>
        <span className={classes.note}>
          {box.note}
          {box.more && ' · more'}
          {box.cycle && ' · in a cycle'}
        </span>
      </button>
      <Sides type="source" />
    </>
  );
});

const StepView = memo(function StepView({ data: { depth, count } }: { data: StepNode['data'] }) {
  return (
    <div className={classes.step}>
      {depth} {depth === 1 ? 'step' : 'steps'} · {count}
    </div>
  );
});

const nodeTypes = { box: BoxView, step: StepView };
/** Below this, labels stand alone and larger. */
const far = 0.45;

interface Props {
  label: string;
  shape: Shape;
  outward: boolean;
  hits: Set<string>;
  chosen?: string;
  choose: (box: Box) => void;
  /** Above the picture: what is said of the chosen one. */
  children?: ReactNode;
}

export default function Canvas({ label, shape, outward, hits, chosen, choose, children }: Props) {
  const scheme = useComputedColorScheme();
  const laid = useLayout(shape, outward);
  const [over, setOver] = useState<string>();
  const [small, setSmall] = useState(false);
  const focus = over ?? (chosen && shape.within.get(chosen) === chosen ? chosen : undefined);
  const bright = useMemo(() => {
    if (focus) return neighbours(shape, focus);
    return hits.size > 0 ? hits : undefined;
  }, [shape, focus, hits]);

  const plainNodes = useMemo<Drawn[]>(() => {
    if (!laid) return [];
    const boxes = laid.shape.boxes.flatMap<Drawn>((box) => {
      const position = laid.places.get(box.id);
      return position
        ? [{ id: box.id, type: 'box', position, data: { box, choose, chosen: box.id === chosen }, width, height }]
        : [];
    });
    if (!laid.steps) return boxes;
    const { top, all } = columns(laid.shape, laid.places);
    for (const { depth, x, count } of all)
      boxes.push({
        id: `step ${depth}`,
        type: 'step',
        position: { x, y: top - 44 },
        data: { depth, count },
        width,
        height: 24,
      });
    return boxes;
  }, [laid, choose, chosen]);
  const plainEdges = useMemo<Edge[]>(() => (laid ? edgesOf(laid.shape, laid.places) : []), [laid]);

  // Only what is near becomes new, so that pointing at a box costs what is next to it; style dims the rest.
  const nodes = useMemo(
    () =>
      plainNodes.map((n) => {
        const marks = [
          bright && (bright.has(n.id) || n.type === 'step') && classes.near,
          (hits.has(n.id) || laid?.fresh.has(n.id)) && classes.hit,
        ].filter(Boolean);
        return marks.length > 0 ? { ...n, className: marks.join(' ') } : n;
      }),
    [plainNodes, bright, hits, laid],
  );
  const edges = useMemo(
    () =>
      bright
        ? plainEdges.map((e) => {
            const near = focus
              ? e.source === focus || e.target === focus
              : bright.has(e.source) && bright.has(e.target);
            if (!near) return e;
            return { ...e, label: e.data?.words as string, zIndex: 1, className: `${e.className} ${classes.near}` };
          })
        : plainEdges,
    [plainEdges, bright, focus],
  );
  const settled = laid?.shape === shape && laid.outward === outward;
  return (
    <section
      className={classes.canvas}
      aria-label={label}
      aria-busy={!settled}
      data-boxes={settled ? shape.boxes.length : undefined}
      data-lines={settled ? shape.lines.length : undefined}
      data-dim={bright ? true : undefined}
      data-small={small || undefined}
      data-many={plainEdges.length > 120 || undefined}
    >
      <ReactFlow<Drawn>
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        colorMode={scheme}
        minZoom={0.05}
        maxZoom={1.6}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        elementsSelectable={false}
        edgesFocusable={false}
        onMove={(_, view) => setSmall(view.zoom < far)}
        // What comes under a pointer that rests, as it does when boxes unfold, is not pointed at.
        onNodeMouseMove={(e, node) =>
          (e.movementX || e.movementY) && setOver(node.type === 'box' ? node.id : undefined)
        }
        onNodeMouseLeave={() => setOver(undefined)}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={20} />
        <Controls showInteractive={false} fitViewOptions={{ maxZoom: 1, padding: 0.06 }} />
        {laid && <Overview laid={laid} />}
        {!settled && (
          <Panel position="top-center">
            <Text size="sm" c="dimmed" role="status">
              <Loader size={12} mr={6} /> Laying out {shape.boxes.length} boxes
            </Text>
          </Panel>
        )}
        {children && <Panel position="top-right">{children}</Panel>}
        <Look laid={laid} hits={hits} />
      </ReactFlow>
    </section>
  );
}

interface Laid {
  shape: Shape;
  outward: boolean;
  steps: boolean;
  places: Places;
  /** What has just been unfolded. */
  fresh: Set<string>;
}

/** The latest layout that is done; the one before stays until then. */
function useLayout(shape: Shape, outward: boolean) {
  const [laid, setLaid] = useState<Laid>();
  const layouts = useRef<Promise<Layouts>>(undefined);
  useEffect(() => {
    let left = false;
    layouts.current ??= import('../../graph/elk').then((elk) => new elk.Layouts());
    void layouts.current.then(async (l) => {
      if (left) return;
      const places = await l.layOut(elkInput(shape, outward));
      const steps = inSteps(shape, outward);
      if (left) return;
      setLaid((last) => ({
        shape,
        outward,
        steps,
        places: steps ? wrapped(shape, places) : places,
        fresh: unfolded(shape, last?.shape),
      }));
    });
    return () => {
      left = true;
    };
  }, [shape, outward]);
  useEffect(
    () => () => {
      void layouts.current?.then((l) => l.end());
      layouts.current = undefined;
    },
    [],
  );
  return laid;
}

/** The boxes that were inside of one before. */
function unfolded(shape: Shape, last?: Shape): Set<string> {
  const opened = last?.boxes.filter((b) => b.folded && !shape.boxes.some((now) => now.id === b.id)) ?? [];
  return opened.length === 1 ? new Set(opened[0]?.refs.map((ref) => shape.within.get(ref) ?? ref)) : new Set();
}

function edgesOf(shape: Shape, places: Places): Edge[] {
  const end = { type: MarkerType.ArrowClosed, width: 16, height: 16 };
  return shape.lines.map((l) => {
    const side = sides(places, l.from, l.to);
    const words = l.types.map(plain).join(', ');
    return {
      id: l.id,
      source: l.from,
      target: l.to,
      sourceHandle: side.source,
      targetHandle: side.target,
      ...(side.source === side.target && { type: 'smoothstep', pathOptions: { borderRadius: 10, offset: 14 } }),
      data: { words },
      label: shape.lines.length <= 24 ? words : undefined,
      className: l.cycle ? classes.cycle : '',
      markerEnd: l.along ? end : undefined,
      markerStart: l.against ? { ...end, orient: 'auto-start-reverse' } : undefined,
    };
  });
}

const spread = (all: number[]) => Math.max(...all) - Math.min(...all);

/** Boxes that are drawn smaller can't be read, nor touched. */
const readable = 0.52;

/** Shows the whole after a layout where that can be read; otherwise what was looked for or unfolded, or the root. */
function Look({ laid, hits }: { laid?: Laid; hits: Set<string> }) {
  const flow = useReactFlow();
  const store = useStoreApi();
  useEffect(() => {
    if (!laid) return;
    const { width: wide, height: high } = store.getState();
    const wanted = [...(hits.size > 0 ? hits : laid.fresh)].map((id) => ({ id }));
    const frame = requestAnimationFrame(() => {
      const places = [...laid.places.values()];
      const across = spread(places.map((p) => p.x)) + width;
      const down = spread(places.map((p) => p.y)) + height + (laid.steps ? 44 : 0);
      const whole = Math.min(wide / across, high / down) * 0.9;
      if (whole >= readable) void flow.fitView({ maxZoom: 1, padding: 0.06 });
      else if (wanted.length > 0) void flow.fitView({ nodes: wanted, minZoom: readable, maxZoom: 1, padding: 0.1 });
      else {
        const root = laid.places.get(laid.shape.boxes.find((b) => b.root)?.id ?? '') ?? { x: 0, y: 0 };
        const zoom = 0.65;
        const x = laid.steps ? Math.min(40, wide / 12) - root.x * zoom : wide / 2 - (root.x + width / 2) * zoom;
        void flow.setViewport({ x, y: high / 2 - (root.y + height / 2) * zoom, zoom });
      }
    });
    return () => cancelAnimationFrame(frame);
  }, [laid, hits, flow, store]);
  return null;
}

/** A small map, while only a part of the graph is in view. */
function Overview({ laid: { places } }: { laid: Laid }) {
  const ends = useMemo(() => {
    const all = [...places.values()];
    const xs = all.map((p) => p.x);
    const ys = all.map((p) => p.y);
    return { l: Math.min(...xs), r: Math.max(...xs) + width, t: Math.min(...ys), b: Math.max(...ys) + height };
  }, [places]);
  const part = useStore(({ transform: [x, y, zoom], width: wide, height: high }) => {
    const room = 30;
    return (
      ends.l * zoom + x < -room ||
      ends.t * zoom + y < -room ||
      ends.r * zoom + x > wide + room ||
      ends.b * zoom + y > high + room
    );
  });
  if (!part) return null;
  return (
    <MiniMap<Drawn>
      pannable
      zoomable
      className={classes.map}
      style={{ width: 160, height: 110 }}
      ariaLabel="Overview of the graph"
      nodeClassName={(n) => (n.type === 'step' ? classes.mapStep : n.data.box.root ? classes.mapRoot : '') ?? ''}
    />
  );
}
