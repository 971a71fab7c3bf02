package client

// EntityGraph is a part of the graph around an entity, within bounds of depth and size. GET /graph (entity:read; query: root,
// view, types, direction, depth, nodes, asOf).
type EntityGraph struct {
	Root   string      `json:"root"`
	Nodes  []GraphNode `json:"nodes" doc:"By depth, then reference; the root is the first."`
	Edges  []GraphEdge `json:"edges" doc:"Between nodes, each in its forward direction: dependsOn, not dependencyOf."`
	Cycles []Cycle     `json:"cycles" doc:"Entities of which each reaches each other along one type of relation."`
	Cut    bool        `json:"cut" doc:"A bound ended it: there is more behind the nodes with more; as of a time others may have had relations that were not found."`
}

// GraphNode is an entity of a graph.
type GraphNode struct {
	Ref    string `json:"ref"`
	Kind   string `json:"kind"`
	Title  string `json:"title,omitempty"`
	Type   string `json:"type,omitempty"`
	Owner  string `json:"owner,omitempty"`
	System string `json:"system,omitempty"`
	Depth  int    `json:"depth" doc:"Steps from the root."`
	From   string `json:"from,omitempty" doc:"The entity that led here, on a shortest way."`
	By     string `json:"by,omitempty" doc:"The relation that led here, as that entity sees it."`
	Exists bool   `json:"exists" doc:"False too where the caller may not see it."`
	More   bool   `json:"more,omitempty" doc:"It has relations that were not followed, for the bounds."`
}

// GraphEdge is a relation between two entities.
type GraphEdge struct {
	Source string `json:"source"`
	Type   string `json:"type"`
	Target string `json:"target"`
}

// Cycle is a set of entities of which each reaches each other.
type Cycle struct {
	Type string   `json:"type"`
	Refs []string `json:"refs"`
}

// Ownership is who owns an entity in the end. GET /entities/{kind}/{namespace}/{name}/owners (entity:read).
type Ownership struct {
	Owners  []GraphNode `json:"owners" doc:"Who is named, then the groups above them."`
	Members []GraphNode `json:"members" doc:"Users of the groups that are named, and of those below them."`
	Cut     bool        `json:"cut" doc:"There are more than these."`
}
