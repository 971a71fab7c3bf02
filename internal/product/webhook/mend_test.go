package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/webhook"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// noted gives the reasons that the ledger has of a kind, with the spaces.
func (b *bench) noted(kind string) (all []string) {
	b.t.Helper()
	if _, err := b.Service.Ledger.Seal(system()); err != nil {
		b.t.Fatal(err)
	}
	err := b.db.Read(system(), func(tx *store.Tx) error {
		rows, err := tx.Query(system(), "SELECT space, data FROM ledger_entries WHERE type = $1 ORDER BY id", kind)
		all, err = store.Collect(rows, err, func(row store.Row) (string, error) {
			var space, data string
			err := row.Scan(&space, &data)
			return space + " " + data, err
		})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// TestWhatWaitsEndsWithItsWebhook when it is deleted or goes to another space, and its next owner has no part in it.
func TestWhatWaitsEndsWithItsWebhook(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
		for i, next := range []string{"", "lab"} {
			b.declare("payments", "chat", "{url: '"+b.server.URL+"/mine'}")
			if err := b.send("chat", webhook.Message{}); err != nil {
				t.Fatal(err)
			}
			if m := b.last("chat"); m.State != webhook.Waiting {
				t.Fatalf("it is %+v", m)
			}
			spec := ""
			if next != "" {
				spec = "{url: '" + b.server.URL + "/theirs'}"
			}
			b.declare(next, "chat", spec)
			if said := b.noted("webhook.failed"); len(said) != i+1 || !strings.HasPrefix(said[i], "payments ") || !strings.Contains(said[i], "the webhook is gone") {
				t.Errorf("the ledger says %q", said)
			}
			b.clock.Add(time.Hour.Microseconds())
			b.work()
		}
		for _, r := range b.came {
			if r.URL.Path != "/mine" {
				t.Errorf("a message came at %s", r.URL.Path)
			}
		}
		all, err := b.Messages(system(), ref.New("webhook", "default", "chat"), page.Request{})
		if err != nil || len(all.Items) != 0 {
			t.Errorf("the next owner sees %+v, %v", all.Items, err)
		}
		if err := b.send("nowhere", webhook.Message{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("to a webhook that is gone: %v", err)
		}
		if err := b.send("chat", webhook.Message{Owner: "payments"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("to one that another space has by now: %v", err)
		}
	})
}

// TestSecretsThatCanNotBeOpenedAreAFailedTry and what is never sent ends within a day.
func TestSecretsThatCanNotBeOpenedAreAFailedTry(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.secret("payments", "key", "k")
		b.declare("payments", "chat", "{url: '"+b.server.URL+"', secretRef: payments/key}")
		err := b.db.Write(system(), func(tx *store.Tx) error {
			_, err := tx.Exec(system(), "UPDATE secrets SET sealed = $1", []byte("broken"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.send("chat", webhook.Message{}); err != nil {
			t.Fatal(err)
		}
		if m := b.last("chat"); m.State != webhook.Waiting || m.Attempts != 1 || m.Reason != "its secrets can't be opened" {
			t.Errorf("after one try it is %+v", m)
		}
		err = b.db.Write(system(), func(tx *store.Tx) error {
			_, err := tx.Exec(system(), "DELETE FROM jobs WHERE kind = 'webhook.send'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Add((25 * time.Hour).Microseconds())
		b.work()
		if m := b.last("chat"); m.State != webhook.Failed || !strings.Contains(m.Reason, "within a day") || len(b.noted("webhook.failed")) != 1 {
			t.Errorf("a day later it is %+v", m)
		}
	})
}

// TestReasonsTellNothingOfWhatIsThere where no HTTP is spoken, nothing listens, or TLS fails.
func TestReasonsTellNothingOfWhatIsThere(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		listen := func() net.Listener {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		ssh, shut := listen(), listen()
		t.Cleanup(func() { _ = ssh.Close() })
		if err := shut.Close(); err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := ssh.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					_, _ = fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n")
					_ = c.Close()
				}
			}
		}()
		for address, want := range map[string]string{
			"http://" + ssh.Addr().String():   "it gave no answer in HTTP",
			"http://" + shut.Addr().String():  "the connection was refused",
			"https://" + ssh.Addr().String():  "it can't be trusted: TLS failed",
			"http://169.254.169.254/latest":   "its address is not a public one, or can't be used",
			"http://no-such-host.invalid/T/x": "its host is not found",
		} {
			b.secret("payments", "address", address)
			b.declare("payments", "hidden", "{urlSecretRef: payments/address}")
			if err := b.send("hidden", webhook.Message{}); err != nil {
				t.Fatal(err)
			}
			if m := b.last("hidden"); m.Reason != want {
				t.Errorf("%s: %q, want %q", address, m.Reason, want)
			}
		}
	})
}

// TestAWebhookUsesSecretsOfItsOwnSpace and no others, shared or not.
func TestAWebhookUsesSecretsOfItsOwnSpace(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.secret("default", "key", "root's")
		for _, field := range []string{"secretRef: default/key", "urlSecretRef: default/key"} {
			spec := "{" + field + "}"
			if strings.HasPrefix(field, "secret") {
				spec = "{url: 'https://a.example.com', " + field + "}"
			}
			docs, err := document.Parse("test.yaml", []byte("{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: chat}, spec: "+spec+"}"), document.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			err = b.db.Write(system(), func(tx *store.Tx) error {
				return b.kind.Changed(system(), tx, document.Change{Ref: ref.New("webhook", "default", "chat"), Space: "payments", New: &docs[0]})
			})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), "another space") {
				t.Errorf("%s: %v, %v", field, err, fault.Details(err))
			}
		}
	})
}

// TestTheNearestWebhookIsForAChannel so that no space below takes what a policy above says.
func TestTheNearestWebhookIsForAChannel(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		spec := func(more string) string { return "{url: 'https://a.example.com', slack: {channels: [C1]}" + more + "}" }
		b.declare("lab", "a-lab", spec(""))
		b.declare("payments", "b-payments", spec(""))
		want := func(policy, want string) {
			t.Helper()
			w, err := b.addressed(policy, "lab", "", "C1")
			if w.ID() != want && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("a policy of %s sends to %s, %v; want %s", policy, w.ID(), err, want)
			}
		}
		want("default", "b-payments")
		b.declare("default", "c-root", spec(""))
		want("default", "c-root")
		want("payments", "b-payments")
		want("lab", "a-lab")
		b.declare("payments", "b-payments", spec(", disabled: true"))
		want("payments", "is not shared") // rather than lab's
		b.declare("default", "c-root", spec(", shared: true"))
		want("payments", "c-root")
	})
}

// TestNoSpaceCrowdsOutAnother of those whose webhooks policies see; those that are disabled don't count.
func TestNoSpaceCrowdsOutAnother(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("default", "zz-root", "{url: 'https://a.example.com'}")
		b.declare("lab", "zz-lab", "{url: 'https://a.example.com'}")
		err := b.db.Write(system(), func(tx *store.Tx) error {
			for i := range 600 {
				for space, disabled := range map[string]bool{"payments": false, "lab": true} {
					_, err := tx.Exec(system(), "INSERT INTO webhooks (ref, space, spec, disabled, updated) VALUES ($1, $2, $3, $4, 0)",
						fmt.Sprintf("webhook:default/a-%s-%d", space, i), space, fmt.Sprintf(`{"url":"https://a.example.com","disabled":%v}`, disabled), disabled)
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		book, err := b.Book(system(), "lab")
		all := book.Webhooks()
		if err != nil || len(all) != 502 || all[0].ID() != "zz-lab" || all[501].ID() != "zz-root" {
			t.Errorf("%d webhooks are seen, %v", len(all), err)
		}
	})
}

// TestAMessageIsKeptOnce by its key, and without what it said when it has ended.
func TestAMessageIsKeptOnce(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		b.declare("payments", "chat", "{url: '"+b.server.URL+"'}")
		for range 2 {
			if err := b.send("chat", webhook.Message{Key: "the same", Headers: map[string]string{"Authorization": "Bearer token"}}); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.came) != 1 || b.came[0].Header.Get("Authorization") != "Bearer token" {
			t.Fatalf("%d came", len(b.came))
		}
		var kept int
		err := b.db.Read(system(), func(tx *store.Tx) error {
			return tx.QueryRow(system(), "SELECT count(*) FROM webhook_messages WHERE headers LIKE '%oken%' OR length(body) > 0").Scan(&kept)
		})
		if err != nil || kept != 0 {
			t.Errorf("%d keep what they said, %v", kept, err)
		}
	})
}

// TestASlowWebhookHoldsUpNoOther while the queue runs: two messages are on their way to it, and the others wait.
func TestASlowWebhookHoldsUpNoOther(t *testing.T) {
	each(t, "127.0.0.0/8", func(t *testing.T, b *bench) {
		free, at := make(chan struct{}), make(chan string, 100)
		slow := serve(t, func(_ http.ResponseWriter, _ *http.Request) { at <- "slow"; <-free })
		quick := serve(t, func(_ http.ResponseWriter, _ *http.Request) { at <- "quick" })
		b.declare("payments", "slow", "{url: '"+slow+"'}")
		b.declare("payments", "quick", "{url: '"+quick+"'}")
		err := b.db.Write(system(), func(tx *store.Tx) error {
			for i := range 30 {
				name := "slow"
				if i == 29 {
					name = "quick"
				}
				if _, err := b.Send(system(), tx, webhook.Message{Webhook: "webhook:default/" + name, Space: "payments", Body: []byte("{}")}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(system())
		done := make(chan error, 1)
		go func() { done <- b.queue.Run(ctx) }()
		n := 0
		for got := ""; got != "quick"; {
			select {
			case got = <-at:
				n++
			case <-time.After(20 * time.Second):
				t.Fatal("the quick one waits for the slow one")
			}
		}
		if n > 3 {
			t.Errorf("%d were on their way to the slow one", n-1)
		}
		close(free)
		stop()
		if err := <-done; err != nil && !fault.Is(err, fault.Canceled) {
			t.Error(err)
		}
	})
}

// TestWhatWaitsIsBounded in bytes too.
func TestWhatWaitsIsBounded(t *testing.T) {
	each(t, "", func(t *testing.T, b *bench) {
		b.declare("payments", "chat", "{url: 'https://chat.example.com'}")
		n := 0
		err := b.db.Write(system(), func(tx *store.Tx) (err error) {
			for ; n < 100 && err == nil; n++ {
				_, err = b.Send(system(), tx, webhook.Message{Webhook: "webhook:default/chat", Space: "payments", Body: []byte(strings.Repeat("x", 256<<10))})
			}
			return err
		})
		if !fault.Is(err, fault.Exhausted) || n != 65 {
			t.Errorf("after %d: %v", n, err)
		}
	})
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}
