package hooks

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what is read at once, so that a flood fills no memory: whoever comes beyond them waits, and is sent away
// after a while.
const (
	allBytes    = 256 << 20 // of all bodies
	clientBytes = 64 << 20  // of those of one client
	firstRoom   = 64 << 10  // that a body gets to begin with
	bytesFree   = 512       // at the end of a body, so that its end is seen without more room
	suspicious  = 30        // refusals, of which one is forgiven each second, from which on a client is read one at a time
	mostClients = 10_000    // that are told apart
)

// gate bounds what is read at once, of all and of each client. A client whose deliveries are refused again and again is
// not shut out, since forges send the webhooks of many people from the same addresses: it is read one at a time.
type gate struct {
	now   func() time.Time
	bytes *semaphore.Weighted

	mu      sync.Mutex
	clients map[string]*client
}

type client struct {
	name    string
	bytes   *semaphore.Weighted
	narrow  *semaphore.Weighted
	inside  int
	refused float64
	at      time.Time // of refused
}

func newGate(now func() time.Time) *gate {
	return &gate{now: now, bytes: semaphore.NewWeighted(allBytes), clients: map[string]*client{}}
}

// pass is what one request holds.
type pass struct {
	gate   *gate
	client *client
	narrow bool
	held   int64
}

// enter lets a request in, when it is its turn.
func (g *gate) enter(ctx context.Context, address string) (*pass, error) {
	c, narrow := g.known(nameOf(address))
	p := &pass{gate: g, client: c}
	if narrow {
		if err := c.narrow.Acquire(ctx, 1); err != nil {
			p.leave(false)
			return nil, fault.Errorf(fault.Exhausted, "too many deliveries from %s were not signed; send it again later", c.name)
		}
		p.narrow = true
	}
	return p, nil
}

// known gives the client of a name, inside, and whether it is suspicious.
func (g *gate) known(name string) (*client, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.clients[name]
	if c == nil {
		if len(g.clients) >= mostClients {
			maps.DeleteFunc(g.clients, func(_ string, c *client) bool { return c.inside == 0 && g.due(c) < 1 })
		}
		if len(g.clients) >= mostClients {
			name = "" // those beyond share what one may do
		}
		if c = g.clients[name]; c == nil {
			c = &client{name: name, bytes: semaphore.NewWeighted(clientBytes), narrow: semaphore.NewWeighted(1)}
			g.clients[name] = c
		}
	}
	c.inside++
	return c, g.due(c) > suspicious
}

// due gives how many refusals of a client are not forgiven yet.
func (g *gate) due(c *client) float64 {
	now := g.now()
	c.refused = max(0, c.refused-max(0, now.Sub(c.at).Seconds()))
	c.at = now
	return c.refused
}

// take takes room for bytes.
func (p *pass) take(ctx context.Context, bytes int64) error {
	if p.client.bytes.Acquire(ctx, bytes) != nil {
		return fault.Errorf(fault.Exhausted, "too many deliveries come from %s at once; send it again later", p.client.name)
	}
	if p.gate.bytes.Acquire(ctx, bytes) != nil {
		p.client.bytes.Release(bytes)
		return fault.Errorf(fault.Unavailable, "too many deliveries come at once; send it again later")
	}
	p.held += bytes
	return nil
}

// leave gives back what the request held.
func (p *pass) leave(refused bool) {
	if p.held > 0 {
		p.gate.bytes.Release(p.held)
		p.client.bytes.Release(p.held)
	}
	if p.narrow {
		p.client.narrow.Release(1)
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.client.inside--
	if refused {
		p.client.refused = min(p.gate.due(p.client)+1, 10*suspicious)
	}
}

// nameOf gives the client of an address: a host, or with IPv6 the network of one customer.
func nameOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return network.String()
		}
	}
	return a.String()
}
