package webhook

import (
	"context"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

const (
	atOnce     = 16 // messages that a server sends at the same time
	atOnceEach = 2  // of those, of one space to one webhook
	atTheDoor  = 8  // that are looked at beside those, to be told to wait
	turn       = 50 * time.Millisecond
)

// flights bounds what is on its way. The webhooks of one space, and what is about one space, take at most as many places as
// they leave free, so that neither a slow receiver nor a busy space holds up what is another's.
type flights struct {
	mu  sync.Mutex
	all int
	now map[string]int
}

// shares names what a message takes places of: a space's at a webhook, those of the webhook's space, those of what it is about.
func (a sendArgs) shares() (pair, owner, space string) {
	return "pair " + a.Webhook + " " + a.Space, "owner " + a.Owner, "space " + a.Space
}

// begin tells whether a message may go; then it is ended by end.
func (f *flights) begin(a sendArgs) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	pair, owner, space := a.shares()
	if free := atOnce - f.all; f.now[pair] >= atOnceEach || f.now[owner] >= free || f.now[space] >= free {
		return false
	}
	if f.now == nil {
		f.now = map[string]int{}
	}
	f.all++
	for _, share := range []string{pair, owner, space} {
		f.now[share]++
	}
	return true
}

func (f *flights) end(a sendArgs) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	pair, owner, space := a.shares()
	for _, share := range []string{pair, owner, space} {
		if f.now[share]--; f.now[share] == 0 {
			delete(f.now, share)
		}
	}
}

// later has a message wait for its turn: the longer, the more wait of its space for the webhook.
func (s *Service) later(ctx context.Context, a sendArgs) error {
	var waiting int
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM webhook_messages WHERE webhook = $1 AND space = $2 AND state = 'waiting'", a.Webhook, a.Space).Scan(&waiting)
	})
	if err != nil {
		return err
	}
	return queue.Again(max(time.Second, time.Duration(waiting)*turn))
}
