package node

import (
	"context"
	"sync"
)

// gate counts the requests inside a pod. Closed, it lets no more in, so that the pod can be ended when the last
// one has left. The zero gate is closed.
type gate struct {
	mu     sync.Mutex
	open   bool
	inside int
	empty  chan struct{} // closed when inside reaches 0; made by who waits
}

// enter lets one request in, unless the gate is closed.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		g.inside++
	}
	return g.open
}

// leave ends what enter began.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// set opens or closes the gate.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

// load gives how many requests are inside.
func (g *gate) load() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}

// drained closes the gate and waits until nobody is inside, or ctx ends. It tells whether all have left.
func (g *gate) drained(ctx context.Context) bool {
	g.mu.Lock()
	g.open = false
	if g.inside == 0 {
		g.mu.Unlock()
		return true
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return true
	case <-ctx.Done():
		return false
	}
}
