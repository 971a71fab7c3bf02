package git

import (
	"context"
	"slices"
	"time"
)

// SetIdle says how long a client is waited for.
func (g *Git) SetIdle(d time.Duration) { g.idle = d }

// SetMemory says how much memory a process may take.
func (g *Git) SetMemory(bytes uint64) { g.memory = bytes }

// Share makes other use the slots of g, with the patience of its own.
func (g *Git) Share(other *Git) {
	wait := other.serving.wait
	other.serving = g.serving
	other.serving.mu.Lock()
	defer other.serving.mu.Unlock()
	other.serving.wait = wait
}

// Waiting counts the requests that wait for their turn.
func (g *Git) Waiting() int {
	g.serving.mu.Lock()
	defer g.serving.mu.Unlock()
	return len(g.serving.waiting)
}

// ServeShare is how many requests of one client are served at the same time.
const ServeShare = serveShare

// TreeEntries is how many entries of a folder are kept.
const TreeEntries = treeEntries

// SetEnv adds to the environment of every process.
func (g *Git) SetEnv(env ...string) { g.env = append(slices.Clip(g.env), env...) }

// Loose tells whether all that a push brought is in loose objects.
func (in Incoming) Loose(ctx context.Context) bool {
	_, ok := in.loose(ctx)
	return ok
}

// Leads tells whether loose commits of a push lead from one commit back to another.
func (in Incoming) Leads(from, to string) bool { return in.leads(from, to) }
