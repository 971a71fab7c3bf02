package node

import (
	"context"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
)

// watchers wakes those who watch an owner.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]struct{}
}

type watcher struct {
	owner string
	wake  chan struct{}
}

// Watch implements cluster.Cluster.
func (n *Node) Watch(ctx context.Context, owner string) (<-chan struct{}, error) {
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	w := &watcher{owner: owner, wake: make(chan struct{}, 1)}
	w.wake <- struct{}{}
	n.watchers.mu.Lock()
	defer n.watchers.mu.Unlock()
	n.watchers.all[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		n.watchers.mu.Lock()
		defer n.watchers.mu.Unlock()
		delete(n.watchers.all, w)
		close(w.wake)
	})
	return w.wake, nil
}

// notify wakes the watchers of owners, and those of everything.
func (w *watchers) notify(owners ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.all {
		for _, owner := range owners {
			if one.owner == "" || one.owner == owner {
				select {
				case one.wake <- struct{}{}:
				default:
				}
				break
			}
		}
	}
}

var _ cluster.Cluster = (*Node)(nil)
