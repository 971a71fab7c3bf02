package git

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Clones, fetches, pushes and downloads at the same time, what looks through many files or a long history at the same time
// (each may keep a core busy), and what waits for its turn.
const (
	serveAtOnce = 64
	serveShare  = 16 // of one client
	lookAtOnce  = 8
	lookShare   = 4 // of one client
	waitAtOnce  = 512
	waitShare   = 128             // of one client
	waitTime    = 2 * time.Minute // a request that waits holds a connection and no more; git does not come again by itself
)

// slots counts whom is served, and keeps who waits.
type slots struct {
	what     string // is served, in words
	atOnce   int
	share    int // of one client
	wait     time.Duration
	mu       sync.Mutex
	all      int
	byClient map[string]int
	waiting  []*waiter // in the order in which they came
}

// waiter is a request that waits for its turn.
type waiter struct {
	client string
	turn   chan struct{} // closed when it has come
}

func newSlots(what string, atOnce, share int) *slots {
	return &slots{what: what, atOnce: atOnce, share: share, wait: waitTime, byClient: map[string]int{}}
}

func serveSlots() *slots {
	return newSlots("clones, fetches and pushes", serveAtOnce, serveShare)
}

// enter takes a slot for a client, when its turn has come; leave gives it back. When that takes too long, or too many
// wait already, Exhausted says that the client has its share, and Unavailable that all slots are taken.
func (s *slots) enter(ctx context.Context, client string) (leave func(), err error) {
	s.mu.Lock()
	if s.free(client) {
		s.take(client)
		s.mu.Unlock()
		return func() { s.leave(client) }, nil
	}
	mine := 0
	for _, w := range s.waiting {
		if w.client == client {
			mine++
		}
	}
	if len(s.waiting) >= waitAtOnce || mine >= waitShare {
		defer s.mu.Unlock()
		return nil, s.full(client)
	}
	w := &waiter{client, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	patience := time.NewTimer(s.wait)
	defer patience.Stop()
	select {
	case <-w.turn:
		return func() { s.leave(client) }, nil
	case <-patience.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.turn: // at the last moment
		return func() { s.leave(client) }, nil
	default:
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, s.full(client)
}

func (s *slots) free(client string) bool {
	return s.all < s.atOnce && s.byClient[client] < s.share
}

func (s *slots) full(client string) error {
	if s.byClient[client] >= s.share {
		return fault.Errorf(fault.Exhausted, "you have %d %s under way, as many as one may have; wait until one has ended, then try again", s.share, s.what)
	}
	return fault.Errorf(fault.Unavailable, "%d %s are being served, as many as there may be; try again in a moment", s.atOnce, s.what)
}

func (s *slots) take(client string) {
	s.all++
	s.byClient[client]++
}

// leave gives a slot back, and lets those in whose turn it is.
func (s *slots) leave(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.byClient[client]--; s.byClient[client] == 0 {
		delete(s.byClient, client)
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if !s.free(w.client) {
			return false
		}
		s.take(w.client)
		close(w.turn)
		return true
	})
}
