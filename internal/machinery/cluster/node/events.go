package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
)

// maxEvents bounds the events that are kept of one owner.
const maxEvents = 200

// journal keeps the latest events of each owner in memory.
type journal struct {
	mu  sync.Mutex
	now func() time.Time
	all map[string][]cluster.Event
}

// add notes an event. One that equals an earlier one of the same object is counted there.
func (j *journal) add(owner string, key cluster.Key, warning bool, reason, format string, args ...any) {
	e := cluster.Event{Key: key, Warning: warning, Reason: reason, Message: fmt.Sprintf(format, args...), Count: 1}
	j.mu.Lock()
	defer j.mu.Unlock()
	e.First = j.now()
	e.Last = e.First
	list := j.all[owner]
	if i := slices.IndexFunc(list, func(o cluster.Event) bool { return o.Key == key && o.Reason == reason && o.Message == e.Message }); i >= 0 {
		e.First, e.Count = list[i].First, list[i].Count+1
		list = slices.Delete(list, i, i+1)
	}
	if len(list) >= maxEvents {
		list = slices.Delete(list, 0, len(list)-maxEvents+1)
	}
	j.all[owner] = append(list, e)
}

// forgetLocked drops the events of an owner that has nothing left.
func (n *Node) forgetLocked(owner string) {
	for _, o := range n.objects {
		if o.owner == owner {
			return
		}
	}
	for _, p := range n.pods {
		if p.owner == owner {
			return
		}
	}
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	delete(n.events.all, owner)
}

// Events implements cluster.Cluster.
func (n *Node) Events(ctx context.Context, owner string) ([]cluster.Event, error) {
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	return slices.Clone(n.events.all[owner]), nil
}
