export interface GraphNode {
  id: string;
  label: string;
  /** Shown as icon and word below the label. */
  state?: string;
  /** What choosing it opens; without it, it can't be chosen. */
  open?: string;
  note?: string;
}

export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
}

export const nodeWidth = 190;
export const nodeHeight = 58;

/** What elk is asked to lay out: edges to nodes that aren't there, loops and repeats are left out. */
export function elkInput(nodes: GraphNode[], edges: GraphEdge[]) {
  const ids = new Set(nodes.map((n) => n.id));
  const seen = new Set<string>();
  const kept = edges.filter(({ from, to }) => {
    const key = `${from}\n${to}`;
    if (from === to || !ids.has(from) || !ids.has(to) || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  return {
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.layered.spacing.nodeNodeBetweenLayers': kept.some((e) => e.label) ? '120' : '56', // labels need room
      'elk.spacing.nodeNode': '20',
    },
    children: nodes.map((n) => ({ id: n.id, width: nodeWidth, height: nodeHeight })),
    edges: kept.map((e) => ({ id: `${e.from}->${e.to}`, sources: [e.from], targets: [e.to] })),
  };
}
