package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sendAbout keeps messages to a webhook about a space, as many as it takes, and tells how many those are.
func (b *bench) sendAbout(name, space string, count int, body string) (taken int) {
	b.t.Helper()
	err := b.db.Write(system(), func(tx *store.Tx) error {
		for taken = 0; taken < count; taken++ {
			_, err := b.Send(system(), tx, webhook.Message{Webhook: "webhook:default/" + name, Space: space, Body: []byte(body)})
			if fault.Is(err, fault.Exhausted) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return taken
}

// TestASpaceFillsItsOwnShareAlone of a shared webhook: the others, and the webhook's own space, go on.
func TestASpaceFillsItsOwnShareAlone(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("default", "open", "{url: 'https://chat.example.com', shared: true}")
		for _, c := range []struct {
			space string
			want  int
		}{{"lab", 500}, {"lab", 0}, {"payments", 250}, {"default", 250}, {"default", 0}, {"payments", 0}} {
			if got := b.sendAbout("open", c.space, 1001, "{}"); got != c.want {
				t.Errorf("of space %s %d are taken, want %d", c.space, got, c.want)
			}
		}
		b.declare("default", "large", "{url: 'https://chat.example.com', shared: true}")
		large := strings.Repeat("x", 256<<10)
		for _, c := range []struct {
			space string
			want  int
		}{{"lab", 32}, {"payments", 16}, {"default", 16}} {
			if got := b.sendAbout("large", c.space, 100, large); got != c.want {
				t.Errorf("of space %s %d large ones are taken, want %d", c.space, got, c.want)
			}
		}
	})
}

// running has the queue run as it does in a server until the test has seen enough.
func (b *bench) running(seen func()) {
	b.t.Helper()
	ctx, stop := context.WithCancel(system())
	done := make(chan error, 1)
	go func() { done <- b.queue.Run(ctx) }()
	seen()
	stop()
	if err := <-done; err != nil && !fault.Is(err, fault.Canceled) {
		b.t.Error(err)
	}
}

// TestABusySpaceHoldsUpNoOtherAtASlowWebhook that both send to.
func TestABusySpaceHoldsUpNoOtherAtASlowWebhook(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		free, at := make(chan struct{}), make(chan string, 100)
		slow := serve(t, func(_ http.ResponseWriter, r *http.Request) { at <- r.Header.Get("X-Space"); <-free })
		b.declare("default", "open", "{url: '"+slow+"', shared: true}")
		err := b.db.Write(system(), func(tx *store.Tx) error {
			for i := range 31 {
				space := "lab"
				if i == 30 {
					space = "payments"
				}
				m := webhook.Message{Webhook: "webhook:default/open", Space: space, Headers: map[string]string{"X-Space": space}, Body: []byte("{}")}
				if _, err := b.Send(system(), tx, m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.running(func() {
			defer close(free)
			if n := wait(t, at, "payments"); n > 2 {
				t.Errorf("%d of lab were on their way", n)
			}
		})
	})
}

// TestSlowWebhooksOfASpaceHoldUpNoOtherSpace however many they are.
func TestSlowWebhooksOfASpaceHoldUpNoOtherSpace(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		free, at := make(chan struct{}), make(chan string, 100)
		slow := serve(t, func(_ http.ResponseWriter, _ *http.Request) { at <- "slow"; <-free })
		quick := serve(t, func(_ http.ResponseWriter, _ *http.Request) { at <- "quick" })
		for i := range 12 {
			name := fmt.Sprintf("slow-%d", i)
			b.declare("lab", name, "{url: '"+slow+"'}")
			b.sendAbout(name, "lab", 3, "{}")
		}
		b.declare("payments", "quick", "{url: '"+quick+"'}")
		b.sendAbout("quick", "payments", 1, "{}")
		b.running(func() {
			defer close(free)
			if n := wait(t, at, "quick"); n > 8 {
				t.Errorf("%d of lab were on their way", n)
			}
		})
	})
}

// wait tells how many others came before one.
func wait(t *testing.T, at <-chan string, want string) (others int) {
	t.Helper()
	for {
		select {
		case got := <-at:
			if got == want {
				return others
			}
			others++
		case <-time.After(20 * time.Second):
			t.Errorf("%s waits for the others", want)
			return others
		}
	}
}

// TestAMissingSecretIsWaitedFor and told to who owns the webhook; when it stays away the message has failed, with the reason.
func TestAMissingSecretIsWaitedFor(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.declare("payments", "chat", "{url: '"+b.server.URL+"', secretRef: payments/key}")
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("chat"); m.State != webhook.Waiting || m.Attempts != 1 || !strings.Contains(m.Reason, "secret payments/key is not in space payments") {
			t.Errorf("without its secret it is %+v", m)
		}
		b.secret("payments", "key", "k")
		b.clock.Add((10 * time.Second).Microseconds())
		b.work()
		if m := b.last("chat"); m.State != webhook.Sent || m.Attempts != 2 || len(b.came) != 1 || b.came[0].Header.Get("X-Roadbed-Signature") == "" {
			t.Errorf("with it, it is %+v; %d came", m, len(b.came))
		}

		b.declare("payments", "lost", "{urlSecretRef: payments/never}")
		if err := b.send("lost", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			b.clock.Add((4 * time.Hour).Microseconds())
			b.work()
		}
		m := b.last("lost")
		if m.State != webhook.Failed || m.Attempts != 8 || !strings.Contains(m.Reason, "secret payments/never is not in space payments") {
			t.Errorf("at last it is %+v", m)
		}
		if said := b.noted("webhook.failed"); len(said) != 1 || !strings.HasPrefix(said[0], "payments ") || !strings.Contains(said[0], "payments/never") {
			t.Errorf("the ledger says %q", said)
		}
	})
}
