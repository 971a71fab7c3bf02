import { Background, Controls, type Edge, Handle, type Node, Position, ReactFlow } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { Skeleton, useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useState } from 'react';
import { State } from '../parts/State';
import classes from './Graph.module.css';
import { elkInput, type GraphEdge, type GraphNode, nodeHeight, nodeWidth } from './layout';

type Places = Map<string, { x: number; y: number }>;
type BoxData = Pick<GraphNode, 'label' | 'state' | 'note'> & { chosen: boolean; choose?: () => void };
type BoxNode = Node<BoxData, 'box'>;

function Box({ data }: { data: BoxData }) {
  return (
    <>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      {data.choose ? (
        <button
          type="button"
          className={`${classes.node} nodrag nopan`}
          aria-current={data.chosen || undefined}
          onClick={data.choose}
        >
          <Inside data={data} />
        </button>
      ) : (
        <div className={classes.node} aria-current={data.chosen || undefined}>
          <Inside data={data} />
        </div>
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </>
  );
}

function Inside({ data }: { data: BoxData }) {
  return (
    <>
      <span className={classes.label} title={data.label}>
        {data.label}
      </span>
      <span className={classes.below}>
        {data.note && <span className={classes.note}>{data.note}</span>}
        {data.state && <State state={data.state} bare />}
      </span>
    </>
  );
}

const nodeTypes = { box: Box };

interface Props {
  label: string;
  nodes: GraphNode[];
  edges: GraphEdge[];
  chosen?: string;
  onChoose?: (open: string) => void;
}

/** A graph from left to right. Its layout is computed anew only when its shape changes, not with every state. */
export default function Graph({ label, nodes, edges, chosen, onChoose }: Props) {
  const [places, setPlaces] = useState<Places>();
  const scheme = useComputedColorScheme();
  const shape = JSON.stringify(elkInput(nodes, edges));

  useEffect(() => {
    let left = false;
    void import('./elk').then(async ({ layOut }) => {
      const found = await layOut(JSON.parse(shape));
      if (!left) setPlaces(found);
    });
    return () => {
      left = true;
    };
  }, [shape]);

  const flowEdges = useMemo<Edge[]>(() => {
    const labels = new Map(edges.map((e) => [`${e.from}->${e.to}`, e.label]));
    return (JSON.parse(shape) as ReturnType<typeof elkInput>).edges.map((e) => ({
      id: e.id,
      source: e.sources[0] ?? '',
      target: e.targets[0] ?? '',
      label: labels.get(e.id),
    }));
  }, [shape, edges]);

  if (!places) return <Skeleton height={280} />;
  const flowNodes = nodes.map(
    (n): BoxNode => ({
      id: n.id,
      type: 'box',
      position: places.get(n.id) ?? { x: 0, y: 0 },
      data: {
        label: n.label,
        state: n.state,
        note: n.note,
        chosen: n.id === chosen,
        choose: n.open && onChoose ? () => onChoose(n.open as string) : undefined,
      },
      width: nodeWidth,
      height: nodeHeight,
    }),
  );
  const deepest = Math.max(...[...places.values()].map((p) => p.y), 0) + nodeHeight;
  return (
    <section
      className={classes.graph}
      style={{ height: Math.min(Math.max(deepest + 80, 200), 520) }}
      aria-label={label}
    >
      <ReactFlow<BoxNode>
        key={shape}
        nodes={flowNodes}
        edges={flowEdges}
        nodeTypes={nodeTypes}
        colorMode={scheme}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.12 }}
        minZoom={0.15}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        elementsSelectable={false}
        edgesFocusable={false}
        preventScrolling={false}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={16} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </section>
  );
}
