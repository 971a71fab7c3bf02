package hook_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func TestWhatComesOfADelivery(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		b.follower.answer = func(e forge.Event) (string, error) {
			if e.Repository.Name == "acme/else" {
				return "", nil
			}
			return "fetched " + e.Repository.Name, nil
		}
		for _, c := range []struct{ event, body, state, kind, outcome string }{
			{"push", push("acme/shop", "main"), hook.Done, "push", "fetched acme/shop"},
			{"push", push("acme/else", "main"), hook.Ignored, "push", "nothing is connected to acme/else"},
			{"pull_request", pull(3), hook.Done, "proposal", "fetched acme/shop"},
			{"ping", `{"zen":"Keep it logically awesome.","repository":{"id":9,"full_name":"acme/shop"}}`, hook.Done, "ping", "the webhook works"},
			{"star", `{"action":"created","repository":{"id":9,"full_name":"acme/shop"}}`, hook.Ignored, "other", "nothing follows such events"},
			{"push", `{"ref":`, hook.Failed, "", `the delivery of "push" is not a JSON object`},
		} {
			r := b.send(c.event, c.body, c.body)
			if d := b.get(r.Number); d.State != hook.Received || d.Kind != "" || d.Size != int64(len(c.body)) || !d.Kept || r.Known {
				b.t.Errorf("%s, when it came: %+v", c.event, d)
			}
			b.work()
			d := b.get(r.Number)
			if d.State != c.state || string(d.Kind) != c.kind || d.Outcome != c.outcome || d.Handled.IsZero() {
				b.t.Errorf("%s: %+v", c.event, d)
			}
		}
		if d := b.list(hook.Query{Kind: "proposal"}); len(d) != 1 || d[0].Name != "pull_request opened" || d[0].Repository != "acme/shop" || d[0].Sender != "octo" || d[0].Attempts != 1 {
			b.t.Errorf("the proposal's is %+v", d)
		}
		if d := b.list(hook.Query{State: hook.Failed}); len(d) != 1 {
			b.t.Errorf("failed are %+v", d)
		}
		if got := b.entries(); !slices.Equal(got, []string{"hook.failed"}) {
			b.t.Errorf("the ledger tells %v", got)
		}
	})
}

// A delivery that comes again is there once. What is repeated under its own id is not handled again; a body that comes
// under another id is, when it is a push.
func TestRepetitions(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		first := b.send("push", "one", push("acme/shop", "main"))
		b.work()
		told := func(want int, what string) {
			b.t.Helper()
			b.work()
			if got := len(b.follower.refs()); got != want {
				b.t.Errorf("%s: the room was told %d times, want %d", what, got, want)
			}
		}
		same := func(r hook.Receipt, number int64, repeats int) {
			b.t.Helper()
			if d := b.get(number); !r.Known || r.Number != number || d.Repeats != repeats || d.Repeated.IsZero() {
				b.t.Errorf("%+v is not a repetition of %+v", r, d)
			}
		}
		same(b.send("push", "one", push("acme/shop", "main")), first.Number, 1)
		told(1, "the same id")
		same(b.send("push", "two", push("acme/shop", "main")), first.Number, 2)
		told(2, "the same push by another id")
		proposal := b.send("pull_request", "three", pull(1))
		told(3, "a proposal")
		same(b.send("pull_request", "four", pull(1)), proposal.Number, 1)
		same(b.send("push", "five", pull(1)), proposal.Number, 2)
		told(3, "what a proposal said, replayed")

		b.follower.answer = func(forge.Event) (string, error) { return "", fault.Errorf(fault.Invalid, "no") }
		failed := b.send("pull_request", "six", pull(2))
		told(4, "a proposal")
		if d := b.get(failed.Number); d.State != hook.Failed || d.Outcome != "repositories: no" {
			b.t.Errorf("it failed as %+v", d)
		}
		b.follower.answer = nil
		same(b.send("pull_request", "six", pull(2)), failed.Number, 1)
		told(5, "what failed, sent again")
		if d := b.get(failed.Number); d.State != hook.Done {
			b.t.Errorf("it is %+v", d)
		}
		if all := b.list(hook.Query{}); len(all) != 3 {
			b.t.Errorf("%d deliveries are kept", len(all))
		}
		if c := b.hooks.Counts(); c.Stored != 3 || c.Repeated != 5 || c.Refused != 0 {
			b.t.Errorf("the counts are %+v", c)
		}
	})
}

// However many bring the same delivery at once, it is there once, and all are told so.
func TestTheSameAtOnce(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		var group errgroup.Group
		var fresh, known atomic.Int64
		for i := range 40 {
			group.Go(func() error {
				r, err := b.hooks.Receive(b.t.Context(), incoming("push", fmt.Sprint(i%4), push("acme/shop", fmt.Sprint(i%2))))
				if r.Known {
					known.Add(1)
				} else {
					fresh.Add(1)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.t.Fatal(err)
		}
		b.work()
		all := b.list(hook.Query{})
		if fresh.Load() != 2 || known.Load() != 38 || len(all) != 2 || all[0].State != hook.Done || all[0].Repeats+all[1].Repeats != 38 {
			b.t.Errorf("%d were new and %d known; kept are %+v", fresh.Load(), known.Load(), all)
		}
	})
}

// A delivery without an id is known by its body.
func TestWithoutAnID(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		first := b.send("push", "", push("acme/shop", "main"))
		b.work()
		if again := b.send("push", "", push("acme/shop", "main")); !again.Known || again.Number != first.Number {
			b.t.Errorf("the same is %+v", again)
		}
		if other := b.send("push", "", push("acme/shop", "next")); other.Known {
			b.t.Errorf("another one is %+v", other)
		}
		b.work()
		// A branch that went back and forth is pushed twice in the same words.
		if got := b.follower.refs(); len(got) != 3 {
			b.t.Errorf("the room was told %v", got)
		}
	})
}

// What is not signed is refused in the same words, whether there is such an integration or not, and leaves no more than a
// number.
func TestForgeries(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		good := incoming("push", "one", push("acme/shop", "main"))
		words := ""
		for name, spoil := range map[string]func(in *hook.Incoming){
			"no signature":      func(in *hook.Incoming) { in.Header.Del("X-Hub-Signature-256") },
			"another secret":    func(in *hook.Incoming) { in.Header.Set("X-Hub-Signature-256", sign(string(in.Body), "guessed")) },
			"no secret":         func(in *hook.Incoming) { in.Header.Set("X-Hub-Signature-256", sign(string(in.Body), "")) },
			"another body":      func(in *hook.Incoming) { in.Body = append(slices.Clone(in.Body), ' ') },
			"no integration":    func(in *hook.Incoming) { in.Integration = "default/none" },
			"no webhooks there": func(in *hook.Incoming) { in.Integration = "default/mute" },
		} {
			in := hook.Incoming{Integration: good.Integration, Header: good.Header.Clone(), Body: good.Body, Client: "198.51.100.7"}
			spoil(&in)
			_, err := b.hooks.Receive(b.t.Context(), in)
			if !fault.Is(err, fault.Unauthenticated) {
				b.t.Errorf("%s: %v", name, err)
				continue
			}
			if words == "" {
				words = err.Error()
			}
			if err.Error() != words {
				b.t.Errorf("%s is told apart: %v", name, err)
			}
		}
		traffic := func(integration string, want int64) {
			b.t.Helper()
			got, err := b.hooks.Traffic(accesstest.As("rita"), integration)
			if err != nil || got.Refused.Count != want || !got.Refused.Last.Equal(b.clock()) || got.Refused.Client != "198.51.100.7" || got.Refused.Reason == "" || got.Waiting != 0 || !got.Last.IsZero() {
				b.t.Errorf("of %s: %+v, %v", integration, got, err)
			}
		}
		traffic(acme, 4)
		traffic("default/mute", 1)
		b.work()
		traffic(acme, 4) // written down by now
		var rows int
		if err := b.db.Read(b.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(b.t.Context(), "SELECT (SELECT COUNT(*) FROM hook_deliveries) + (SELECT COUNT(*) FROM hook_payloads) + 10 * (SELECT COUNT(*) FROM hook_refusals)").Scan(&rows)
		}); err != nil || rows != 20 {
			b.t.Errorf("forgeries left %d, %v", rows, err)
		}
		if c := b.hooks.Counts(); c.Refused != 6 || c.Stored != 0 {
			b.t.Errorf("the counts are %+v", c)
		}
	})
}

// The deliveries of one repository are handled in the order in which they came, also when one of them fails for a while;
// those of others are not held up.
func TestTheOrderOfARepository(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		down := true
		b.follower.answer = func(e forge.Event) (string, error) {
			if down && e.Repository.Name == "acme/shop" {
				return "", fault.Errorf(fault.Unavailable, "the forge does not answer")
			}
			return "ok", nil
		}
		var numbers []int64
		for i := range 3 {
			numbers = append(numbers, b.send("push", fmt.Sprint(i), push("acme/shop", fmt.Sprint(i))).Number)
			b.send("push", fmt.Sprint("other-", i), push("acme/warehouse", fmt.Sprint(i)))
		}
		b.work()
		if got := b.list(hook.Query{State: hook.Done}); len(got) != 3 || got[0].Repository != "acme/warehouse" {
			b.t.Errorf("done are %+v", got)
		}
		d := b.get(numbers[0])
		if d.State != hook.Received || d.Attempts != 1 || d.Due.Sub(b.clock()) != 5*time.Second || d.Outcome != "repositories: the forge does not answer" {
			b.t.Errorf("the one that failed is %+v", d)
		}
		if d := b.get(numbers[1]); d.Attempts != 0 {
			b.t.Errorf("the one behind it is %+v", d)
		}
		b.follower.told = nil
		b.work() // too early
		if got := b.follower.refs(); len(got) != 0 {
			b.t.Errorf("it was tried again at once: %v", got)
		}
		down = false
		b.pass(5 * time.Second)
		b.work()
		if got := b.follower.refs(); !slices.Equal(got, []string{"acme/shop refs/heads/0", "acme/shop refs/heads/1", "acme/shop refs/heads/2"}) {
			b.t.Errorf("told were %v", got)
		}
		if got := b.list(hook.Query{State: hook.Done}); len(got) != 6 {
			b.t.Errorf("%d are done", len(got))
		}
	})
}

// What fails again and again fails for good, with an entry, and a person has it handled again, with another.
func TestFailureForGoodAndRedelivery(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		broken := true
		b.follower.answer = func(forge.Event) (string, error) {
			if broken {
				panic("by accident")
			}
			return "ok", nil
		}
		r := b.send("push", "one", push("acme/shop", "main"))
		for i := range hook.Attempts {
			if d := b.get(r.Number); d.State != hook.Received || d.Attempts != i {
				b.t.Fatalf("after %d attempts it is %+v", i, d)
			}
			b.work()
			b.pass(31 * time.Minute)
		}
		if d := b.get(r.Number); d.State != hook.Failed || d.Attempts != hook.Attempts || d.Outcome == "" || strings.Contains(d.Outcome, "by accident") {
			b.t.Fatalf("in the end it is %+v", d)
		}
		broken = false
		b.work()
		if got := len(b.follower.refs()); got != hook.Attempts {
			b.t.Errorf("it was tried %d times", got)
		}
		for who, want := range map[string]fault.Kind{"rita": fault.Denied, "carol": fault.NotFound} {
			if _, err := b.hooks.Redeliver(accesstest.As(who), acme, r.Number); !fault.Is(err, want) {
				b.t.Errorf("%s: %v", who, err)
			}
		}
		if _, err := b.hooks.Redeliver(accesstest.As("alice"), acme, 99999); !fault.Is(err, fault.NotFound) {
			b.t.Errorf("one that is not: %v", err)
		}
		if d, err := b.hooks.Redeliver(accesstest.As("alice"), acme, r.Number); err != nil || d.State != hook.Received || d.Attempts != 0 || d.Outcome != "" {
			b.t.Errorf("redelivered: %+v, %v", d, err)
		}
		b.work()
		if d := b.get(r.Number); d.State != hook.Done || d.Attempts != 1 {
			b.t.Errorf("in the end it is %+v", d)
		}
		if got := b.entries(); !slices.Equal(got, []string{"hook.failed", "hook.redelivered"}) {
			b.t.Errorf("the ledger tells %v", got)
		}
	})
}

// A push that comes again while the first is being handled is looked at once more.
func TestARepetitionMeanwhile(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		r := b.send("push", "one", push("acme/shop", "main"))
		again := true
		b.follower.answer = func(forge.Event) (string, error) {
			if again {
				again = false
				if r := b.send("push", "two", push("acme/shop", "main")); !r.Known {
					return "", errors.New("it is not known")
				}
			}
			return "ok", nil
		}
		b.work()
		b.work()
		if d := b.get(r.Number); d.State != hook.Done || d.Repeats != 1 || len(b.follower.refs()) != 2 {
			b.t.Errorf("%+v, told %v", d, b.follower.refs())
		}
	})
}

// Payloads go before rows; what waits stays.
func TestPruning(t *testing.T) {
	each(t, hook.Retention{Payloads: time.Hour, Rows: 4, Days: 10 * time.Hour}, func(b *bench) {
		old := b.send("push", "old", push("acme/shop", "old"))
		b.work()
		b.follower.answer = func(forge.Event) (string, error) { return "", fault.Errorf(fault.Unavailable, "down") }
		waits := b.send("push", "waits", push("acme/warehouse", "main"))
		b.work()
		prune := func() {
			b.t.Helper()
			if err := b.hooks.Prune(system(b.t)); err != nil {
				b.t.Fatal(err)
			}
		}
		b.pass(2 * time.Hour)
		prune()
		if d := b.get(old.Number); d.Kept || d.State != hook.Done {
			b.t.Errorf("the old one is %+v", d)
		}
		if _, err := b.hooks.Payload(accesstest.As("alice"), acme, old.Number); !fault.Is(err, fault.NotFound) {
			b.t.Errorf("its payload: %v", err)
		}
		if _, err := b.hooks.Redeliver(accesstest.As("alice"), acme, old.Number); !fault.Is(err, fault.Conflict) {
			b.t.Errorf("redelivered: %v", err)
		}
		if d := b.get(waits.Number); !d.Kept {
			b.t.Errorf("the one that waits is %+v", d)
		}
		// What it said is there again when it comes again.
		b.follower.answer = nil
		if r := b.send("push", "again", push("acme/shop", "old")); !r.Known || r.Number != old.Number || !b.get(old.Number).Kept {
			b.t.Errorf("again it is %+v, %+v", r, b.get(old.Number))
		}
		b.work()
		if d := b.get(old.Number); d.State != hook.Done {
			b.t.Errorf("again it is %+v", d)
		}
		b.pass(10 * time.Hour)
		b.follower.answer = func(forge.Event) (string, error) { return "", fault.Errorf(fault.Unavailable, "down") }
		prune()
		if all := b.list(hook.Query{}); len(all) != 0 && (len(all) != 1 || all[0].Number != waits.Number) {
			b.t.Errorf("left are %+v", all)
		}
		b.follower.answer = nil
		for i := range 6 {
			b.send("push", fmt.Sprint("new", i), push("acme/shop", fmt.Sprint("new", i)))
		}
		b.work()
		prune()
		if all := b.list(hook.Query{}); len(all) != 4 || all[0].ID != "new5" {
			b.t.Errorf("of many are left %+v", all)
		}
	})
}

// Payloads take no more than their room, whose oldest go first; when what waits fills it, nothing more is taken.
func TestRoom(t *testing.T) {
	noise := func(n int) string {
		data := make([]byte, n/2)
		_, _ = rand.Read(data)
		return hex.EncodeToString(data) // half of which can be compressed away
	}
	each(t, hook.Retention{Space: 100 << 10}, func(b *bench) {
		body := func() string { return `{"x":"` + noise(40<<10) + `"}` }
		for i := range 8 {
			b.send("star", fmt.Sprint(i), body())
			b.work()
		}
		if err := b.hooks.Prune(system(b.t)); err != nil {
			b.t.Fatal(err)
		}
		kept := 0
		for i, d := range b.list(hook.Query{}) {
			if d.Kept {
				kept++
			} else if i < 3 {
				b.t.Errorf("a new one has lost its payload: %+v", d)
			}
		}
		if kept < 3 || kept > 4 {
			b.t.Errorf("%d payloads are kept", kept)
		}
		refused := 0
		for i := range 10 {
			b.pass(2 * time.Second)
			if _, err := b.hooks.Receive(b.t.Context(), incoming("push", fmt.Sprint("w", i), body())); fault.Is(err, fault.Unavailable) {
				refused++
			} else if err != nil {
				b.t.Fatal(err)
			}
		}
		if refused < 3 || refused > 6 {
			b.t.Errorf("%d of ten were turned away", refused)
		}
		if c := b.hooks.Counts(); c.TurnedAway != int64(refused) {
			b.t.Errorf("the counts are %+v", c)
		}
	})
}

// A large payload lies beside the database, and goes with its row.
func TestLargePayloads(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		data := make([]byte, hook.RowLimit)
		_, _ = rand.Read(data)
		body := `{"x":"` + hex.EncodeToString(data) + `"}`
		r := b.send("star", "large", body)
		blobs := func() (n int) {
			if err := b.blobs.Walk(b.t.Context(), func(blob.Info) error { n++; return nil }); err != nil {
				b.t.Fatal(err)
			}
			return n
		}
		if n := blobs(); n != 1 {
			b.t.Errorf("there are %d blobs", n)
		}
		if again := b.send("star", "large", body); !again.Known || blobs() != 1 {
			b.t.Errorf("the same again is %+v, with %d blobs", again, blobs())
		}
		b.work()
		if p, err := b.hooks.Payload(accesstest.As("alice"), acme, r.Number); err != nil || string(p.Body) != body {
			b.t.Errorf("its payload has %d bytes, %v", len(p.Body), err)
		}
		b.pass(15 * 24 * time.Hour)
		if err := b.hooks.Prune(system(b.t)); err != nil || blobs() != 0 || b.get(r.Number).Kept {
			b.t.Errorf("after pruning: %v, %d blobs", err, blobs())
		}
	})
}

// Payloads are for administrators, and no header in them signs or opens anything.
func TestWhoSeesWhat(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		in := incoming("push", "one", push("acme/shop", "main"))
		for name, value := range map[string]string{
			"Authorization": "Bearer hidden", "Cookie": "hidden", "X-Api-Key": "hidden", "X-Gitlab-Token": "hidden", "X-Gitea-Signature": "hidden", "X-Hub-Signature": "hidden", "X-Forwarded-For": "hidden",
		} {
			in.Header.Set(name, value)
		}
		r, err := b.hooks.Receive(b.t.Context(), in)
		if err != nil {
			b.t.Fatal(err)
		}
		p, err := b.hooks.Payload(accesstest.As("alice"), acme, r.Number)
		want := http.Header{"X-Github-Event": {"push"}, "X-Github-Delivery": {"one"}, "Content-Type": {"application/json"}}
		if err != nil || fmt.Sprint(p.Headers) != fmt.Sprint(want) || string(p.Body) != string(in.Body) {
			b.t.Errorf("the payload is %+v, %v", p, err)
		}
		if _, err := b.hooks.Payload(accesstest.As("rita"), acme, r.Number); !fault.Is(err, fault.Denied) {
			b.t.Errorf("for whoever reads: %v", err)
		}
		carol := accesstest.As("carol")
		for what, ask := range map[string]func(integration string) error{
			"list":      func(i string) error { _, err := b.hooks.List(carol, i, hook.Query{}, page.Request{}); return err },
			"get":       func(i string) error { _, err := b.hooks.Get(carol, i, r.Number); return err },
			"payload":   func(i string) error { _, err := b.hooks.Payload(carol, i, r.Number); return err },
			"traffic":   func(i string) error { _, err := b.hooks.Traffic(carol, i); return err },
			"redeliver": func(i string) error { _, err := b.hooks.Redeliver(carol, i, r.Number); return err },
			"register": func(i string) error {
				_, err := b.hooks.Register(carol, i, forge.HookTarget{Repository: "a/b"})
				return err
			},
		} {
			there, none := ask(acme), ask("default/none")
			if !fault.Is(there, fault.NotFound) || !fault.Is(none, fault.NotFound) || strings.ReplaceAll(there.Error(), acme, "default/none") != none.Error() {
				b.t.Errorf("%s: %v, and of none %v", what, there, none)
			}
		}
		if _, err := b.hooks.Get(accesstest.As("alice"), "default/mute", r.Number); !fault.Is(err, fault.NotFound) {
			b.t.Errorf("another integration's delivery: %v", err)
		}
	})
}

// Read a part at a time, the list is the whole, the newest first.
func TestTheListInParts(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		for i := range 7 {
			b.send("push", fmt.Sprint(i), push("acme/shop", fmt.Sprint(i)))
		}
		var got []string
		for part := (page.Request{Limit: 3}); ; {
			list, err := b.hooks.List(accesstest.As("rita"), acme, hook.Query{}, part)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, d := range list.Items {
				got = append(got, d.ID)
			}
			if part.Cursor = list.Next; part.Cursor == "" {
				break
			}
		}
		if strings.Join(got, " ") != "6 5 4 3 2 1 0" {
			b.t.Errorf("the parts are %v", got)
		}
		if _, err := b.hooks.List(accesstest.As("rita"), acme, hook.Query{}, page.Request{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
			b.t.Errorf("a wrong cursor: %v", err)
		}
	})
}

// What came for an integration goes with it, and does not show in another one of the same name.
func TestAnIntegrationThatIsDeleted(t *testing.T) {
	each(t, hook.Retention{}, func(b *bench) {
		b.follower.answer = func(forge.Event) (string, error) { return "", fault.Errorf(fault.Unavailable, "down") }
		b.send("push", "one", push("acme/shop", "main"))
		b.send("star", "two", `{"action":"created"}`)
		b.work()
		b.pass(time.Second)
		if err := b.db.Write(b.t.Context(), func(tx *store.Tx) error {
			_, err := b.ledger.Append(system(b.t), tx, ledger.Entry{Type: "entity.deleted", Subject: "integration:" + acme})
			return err
		}); err != nil {
			b.t.Fatal(err)
		}
		b.pass(time.Second)
		later := b.send("star", "three", `{"action":"later"}`)
		b.entries() // by when the subscriber has heard of it
		ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
		defer stop()
		for {
			b.entries()
			b.work()
			if all := b.list(hook.Query{}); len(all) == 1 && all[0].Number == later.Number {
				return
			}
			if ctx.Err() != nil {
				b.t.Fatalf("left are %+v", b.list(hook.Query{}))
			}
		}
	})
}
