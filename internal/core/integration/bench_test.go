package integration_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/integration"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// bench is the room on a database, with the rooms that it stands on, and a clock that the test moves.
type bench struct {
	*integration.Service
	t       testing.TB
	db      *store.DB
	world   *accesstest.World
	secrets *secret.Service
	ledger  *ledger.Ledger
	queue   *queue.Queue
	kind    document.Kind
	clock   atomic.Int64
	had     map[string]document.Document
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, on(t, db)) },
		ledger.Migrations(), queue.Migrations(), access.Migrations(), secret.Migrations(), integration.Migrations())
}

func on(t testing.TB, db *store.DB) *bench {
	t.Helper()
	b := &bench{t: t, db: db, had: map[string]document.Document{}}
	b.clock.Store(time.Now().UnixMicro())
	log := slog.New(slog.DiscardHandler)
	b.ledger = ledger.New(db, b.now, log)
	a := access.New(db, b.ledger, b.now, log)
	b.world = accesstest.New(t, db, a)
	b.world.SetUp()
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.secrets = secret.New(db, a, b.ledger, keeper, b.now)
	b.queue = queue.NewAt(db, b.now, log)
	b.Service = integration.New(integration.Deps{
		DB: db, Access: a, Secrets: b.secrets, Ledger: b.ledger, Queue: b.queue, Now: b.now, Pause: time.Millisecond, Log: log,
	})
	b.kind = integration.Kinds(b.Service)[0]
	return b
}

func (b *bench) now() time.Time        { return time.UnixMicro(b.clock.Load()).UTC() }
func (b *bench) later(d time.Duration) { b.clock.Add(d.Microseconds()) }

func system() context.Context { return actor.AsSystem(context.Background()) }

func (b *bench) secret(space, name, value string) {
	b.t.Helper()
	if err := b.secrets.Put(system(), space, name, secret.Change{Value: []byte(value)}); err != nil {
		b.t.Fatal(err)
	}
}

// declare changes the document NAMESPACE/NAME; an empty spec ends it.
func (b *bench) declare(space, name, spec string) {
	b.t.Helper()
	namespace, name, _ := strings.Cut(name, "/")
	c := document.Change{Space: space}
	if had, ok := b.had[name]; ok {
		c.Ref, c.Old = had.Ref(), &had
	}
	if spec != "" {
		docs, err := document.Parse("x.yaml", []byte("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: "+name+", namespace: "+namespace+"}, spec: "+spec+"}"), document.Limits{})
		if err != nil {
			b.t.Fatal(err)
		}
		if wrong := b.kind.Validate(docs[0]); len(wrong) > 0 {
			b.t.Fatal(wrong)
		}
		c.Ref, c.New, b.had[name] = docs[0].Ref(), &docs[0], docs[0]
	}
	err := b.db.Write(system(), func(tx *store.Tx) error { return b.kind.Changed(system(), tx, c) })
	if err != nil {
		b.t.Fatal(err)
	}
}

// work does the jobs that wait.
func (b *bench) work() {
	b.t.Helper()
	if _, err := b.queue.Work(system()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) get(name string) integration.Integration {
	b.t.Helper()
	i, err := b.Get(system(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return i
}

// told gives what the ledger says of an integration, each entry as "type state".
func (b *bench) told(name string) (all []string) {
	b.t.Helper()
	if _, err := b.ledger.Seal(system()); err != nil {
		b.t.Fatal(err)
	}
	err := b.db.Read(system(), func(tx *store.Tx) error {
		entries, err := b.ledger.List(system(), tx, ledger.Query{Ref: "integration:" + name})
		for _, e := range entries {
			var data struct{ State string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return err
			}
			all = append(all, strings.TrimSpace(e.Type+" "+data.State))
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// BenchmarkHooks is what a delivery costs before its signature is looked at.
func BenchmarkHooks(b *testing.B) {
	db := storetest.SQLite(b, ledger.Migrations(), queue.Migrations(), access.Migrations(), secret.Migrations(), integration.Migrations())
	room := on(b, db)
	room.secret("default", "hook", "a-key")
	room.declare("default", "default/gl", "{forge: gitlab, token: {secretRef: default/none}, webhook: {secretRef: default/hook}}")
	for b.Loop() {
		if _, _, err := room.Hooks(system(), "default/gl"); err != nil {
			b.Fatal(err)
		}
	}
}

// gate stands before a forge: it lets through, or does what fail says instead.
type gate struct {
	URL  string
	fail atomic.Pointer[http.HandlerFunc]
	asks atomic.Int64
}

func before(t *testing.T, forge string) *gate {
	t.Helper()
	to, err := url.Parse(forge)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	on := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asks.Add(1)
		if fail := g.fail.Load(); fail != nil {
			(*fail)(w, r)
			return
		}
		on.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

func (g *gate) answer(fail http.HandlerFunc) {
	if fail == nil {
		g.fail.Store(nil)
		return
	}
	g.fail.Store(&fail)
}
