package hook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/hook"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// acme is the integration of these tests. It is in the space team; Alice administers that, Rita reads it, and Carol has no
// right there.
const acme, secret = "default/acme", "the webhook's secret"

// sources has acme, and another one that takes no webhooks.
type sources struct{ forge forge.Forge }

func (s *sources) Hooks(_ context.Context, integration string) (forge.Hooks, []string, error) {
	switch integration {
	case acme:
		return github.Hooks{}, []string{"an older secret", secret}, nil
	case "default/mute":
		return nil, nil, fault.Errorf(fault.Conflict, "the secret of its webhooks is missing")
	}
	return nil, nil, fault.Errorf(fault.NotFound, "integration %s does not exist", integration)
}

func (s *sources) SpaceOf(_ context.Context, integration string) (string, error) {
	if integration == acme || integration == "default/mute" {
		return "team", nil
	}
	return "", fault.Errorf(fault.NotFound, "integration %s does not exist", integration)
}

func (s *sources) Forge(context.Context, string) (forge.Forge, error) { return s.forge, nil }

func (s *sources) HookSecret(context.Context, string) (string, error) { return secret, nil }

// follower is a room that is connected: it notes what it is told.
type follower struct {
	mu     sync.Mutex
	told   []forge.Event
	answer func(e forge.Event) (string, error)
}

func (f *follower) Handle(_ context.Context, _ string, e forge.Event) (string, error) {
	f.mu.Lock()
	f.told = append(f.told, e)
	answer := f.answer
	f.mu.Unlock()
	if answer != nil {
		return answer(e)
	}
	return "looked at " + e.Repository.Name, nil
}

func (f *follower) refs() (refs []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.told {
		if e.Push != nil {
			refs = append(refs, e.Repository.Name+" "+e.Push.Ref)
		} else {
			refs = append(refs, e.Name)
		}
	}
	return refs
}

type bench struct {
	t        testing.TB
	db       *store.DB
	hooks    *hook.Service
	queue    *queue.Queue
	ledger   *ledger.Ledger
	blobs    blob.Store
	follower *follower
	sources  *sources

	real atomic.Bool // the clock is the machine's
	mu   sync.Mutex
	now  time.Time
}

func (b *bench) clock() time.Time {
	if b.real.Load() {
		return time.Now()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// each tells a story on both databases.
func each(t *testing.T, retention hook.Retention, story func(b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		story(newBench(t, db, retention))
	}, ledger.Migrations(), queue.Migrations(), access.Migrations(), hook.Migrations())
}

func newBench(t testing.TB, db *store.DB, retention hook.Retention) *bench {
	t.Helper()
	b := &bench{t: t, db: db, follower: &follower{}, sources: &sources{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	log := storetest.Log(t)
	b.ledger = ledger.New(db, b.clock, log)
	b.queue = queue.NewAt(db, b.clock, log)
	rights := access.New(db, b.ledger, b.clock, log)
	world := accesstest.New(t, db, rights)
	world.Space("team", "default")
	for _, who := range []string{"alice", "rita", "carol"} {
		world.User(who)
	}
	world.Bind("admin", "team", "user:default/alice")
	world.Bind("reader", "team", "user:default/rita")
	files, err := blob.OpenFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	b.blobs = files
	b.hooks = hook.New(hook.Deps{
		DB: db, Ledger: b.ledger, Queue: b.queue, Blob: files, Access: rights, Sources: b.sources, Address: "https://roadbed.example",
		Retention: retention, Now: b.clock, Log: log,
	})
	b.hooks.Connect("repositories", b.follower)
	return b
}

func system(t testing.TB) context.Context { return actor.AsSystem(t.Context()) }

// push is the body of a push to a branch.
func push(repository, branch string) string {
	body, err := json.Marshal(map[string]any{
		"ref": "refs/heads/" + branch, "before": "1111111111111111111111111111111111111111", "after": "2222222222222222222222222222222222222222",
		"repository": map[string]any{"id": len(repository), "full_name": repository}, "sender": map[string]any{"login": "octo"},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// pull is the body of what happened to a pull request.
func pull(number int) string {
	return fmt.Sprintf(`{"action":"opened","pull_request":{"number":%d,"state":"open"},"repository":{"id":9,"full_name":"acme/shop"},"sender":{"login":"octo"}}`, number)
}

func sign(body, with string) string {
	sum := hmac.New(sha256.New, []byte(with))
	sum.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(sum.Sum(nil))
}

func incoming(event, id, body string) hook.Incoming {
	h := http.Header{}
	h.Set("X-GitHub-Event", event)
	h.Set("X-GitHub-Delivery", id)
	h.Set("X-Hub-Signature-256", sign(body, secret))
	h.Set("Content-Type", "application/json")
	return hook.Incoming{Integration: acme, Header: h, Body: []byte(body), Client: "192.0.2.1"}
}

// send has a delivery taken, and gives its number.
func (b *bench) send(event, id, body string) hook.Receipt {
	b.t.Helper()
	r, err := b.hooks.Receive(b.t.Context(), incoming(event, id, body))
	if err != nil || r.Number == 0 {
		b.t.Fatalf("delivery %s of %s: %+v, %v", id, event, r, err)
	}
	return r
}

// work does all jobs that are due.
func (b *bench) work() {
	b.t.Helper()
	if err := b.hooks.Settle(system(b.t)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.queue.Work(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) get(number int64) hook.Delivery {
	b.t.Helper()
	d, err := b.hooks.Get(accesstest.As("rita"), acme, number)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (b *bench) list(q hook.Query) []hook.Delivery {
	b.t.Helper()
	part, err := b.hooks.List(accesstest.As("rita"), acme, q, page.Request{Limit: 200})
	if err != nil {
		b.t.Fatal(err)
	}
	return part.Items
}

// entries gives the types of the ledger's entries of this room.
func (b *bench) entries() (types []string) {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.ledger.Run(ctx) }() // which seals, on PostgreSQL
	defer func() { stop(); <-ended }()
	marker := ""
	if err := b.db.Write(ctx, func(tx *store.Tx) (err error) {
		marker, err = b.ledger.Append(system(b.t), tx, ledger.Entry{Type: "test.marked"})
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	for {
		types = nil
		sealed := false
		err := b.db.Read(ctx, func(tx *store.Tx) error {
			all, err := b.ledger.List(ctx, tx, ledger.Query{Types: []string{"hook.", "test."}, Limit: 1000})
			for _, e := range all {
				sealed = sealed || e.ID == marker
				if e.Type != "test.marked" {
					types = append(types, e.Type)
				}
			}
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if sealed {
			return types
		}
		if err := b.ledger.Wait(ctx, 0); err != nil {
			b.t.Fatal(err)
		}
	}
}
