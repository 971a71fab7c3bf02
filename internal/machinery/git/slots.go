package git

import (
	"sync"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Clones, fetches and pushes at the same time.
const (
	serveAtOnce = 64
	serveShare  = 16 // of one client
)

// slots counts whom is served.
type slots struct {
	mu       sync.Mutex
	all      int
	byClient map[string]int
}

// enter takes a slot for a client; leave gives it back. Exhausted when the client has its share already, Unavailable
// when all are taken.
func (s *slots) enter(client string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byClient[client] >= serveShare:
		return nil, fault.Errorf(fault.Exhausted, "you have %d clones, fetches and pushes under way, as many as one may have; wait until one has ended, then try again", serveShare)
	case s.all >= serveAtOnce:
		return nil, fault.Errorf(fault.Unavailable, "%d clones, fetches and pushes are being served, as many as there may be; try again in a moment", serveAtOnce)
	}
	s.all++
	s.byClient[client]++
	return func() { s.leave(client) }, nil
}

func (s *slots) leave(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.byClient[client]--; s.byClient[client] == 0 {
		delete(s.byClient, client)
	}
}
