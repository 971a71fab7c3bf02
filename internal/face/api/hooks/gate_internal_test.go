package hooks

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// One client, and all together, hold no more than their room; who leaves makes room for others.
func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, roomIsBounded)
}

func roomIsBounded(t *testing.T) {
	g := newGate(time.Now)
	soon := func() context.Context {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		t.Cleanup(stop)
		return ctx
	}
	enter := func(address string) *pass {
		t.Helper()
		p, err := g.enter(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one := enter("192.0.2.1:1000")
	if err := one.take(t.Context(), clientBytes); err != nil {
		t.Fatal(err)
	}
	second := enter("192.0.2.1:1001")
	if err := second.take(soon(), 1); !fault.Is(err, fault.Exhausted) {
		t.Errorf("a second one of a client that has taken all its room: %v", err)
	}
	var others []*pass
	for i := 2; i <= allBytes/clientBytes; i++ {
		p := enter(fmt.Sprintf("192.0.2.%d:1000", i))
		if err := p.take(t.Context(), clientBytes); err != nil {
			t.Fatal(err)
		}
		others = append(others, p)
	}
	last := enter("198.51.100.1:1000")
	if err := last.take(soon(), 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("one more client: %v", err)
	}
	one.leave(false)
	if err := last.take(t.Context(), clientBytes); err != nil {
		t.Errorf("where one has left: %v", err)
	}
	for _, p := range append(others, second, last) {
		p.leave(false)
	}
	if err := g.bytes.Acquire(soon(), allBytes); err != nil {
		t.Errorf("when all have left: %v", err)
	}
}

// What is known of clients is bounded, and refusals are forgiven with time.
func TestClientsAreForgotten(t *testing.T) {
	t.Parallel()
	at := time.Now()
	g := newGate(func() time.Time { return at })
	for i := range mostClients + 100 {
		p, err := g.enter(t.Context(), fmt.Sprintf("[2001:db8:%x::%x]:1", i, i))
		if err != nil {
			t.Fatal(err)
		}
		p.leave(true)
	}
	if len(g.clients) > mostClients+1 {
		t.Errorf("%d clients are known", len(g.clients))
	}
	at = at.Add(time.Minute)
	p, err := g.enter(t.Context(), "192.0.2.1:1")
	if err != nil || p.client.name != "192.0.2.1" || len(g.clients) > 10 {
		t.Errorf("a minute later %d are, %v", len(g.clients), err)
	}
}

func TestNamesOfClients(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "192.0.2.1": "192.0.2.1", "@": "@",
	} {
		if got := nameOf(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}
