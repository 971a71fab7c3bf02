package directory_test

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/directory"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is the room on a database, with the rooms that it stands on, and a clock that the test moves. Adam administers all,
// alice develops.
type bench struct {
	*directory.Service
	t       testing.TB
	db      *store.DB
	catalog *catalog.Service
	secrets *secret.Service
	ledger  *ledger.Ledger
	queue   *queue.Queue
	clock   atomic.Int64
}

const rights = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: adam}, spec: {memberOf: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: alice}, spec: {memberOf: []}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: admins}, spec: {role: admin, subjects: ['user:default/adam']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: developers}, spec: {role: developer, subjects: ['user:default/alice']}}
`

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, on(t, db)) },
		ledger.Migrations(), queue.Migrations(), access.Migrations(), secret.Migrations(), identity.Migrations(), catalog.Migrations(), repository.Migrations(), directory.Migrations())
}

func on(t testing.TB, db *store.DB) *bench {
	t.Helper()
	b := &bench{t: t, db: db}
	b.clock.Store(time.Now().UnixMicro())
	log := slog.New(slog.DiscardHandler)
	b.ledger = ledger.New(db, b.now, log)
	a := access.New(db, b.ledger, b.now, log)
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.secrets = secret.New(db, a, b.ledger, keeper, b.now)
	b.queue = queue.NewAt(db, b.now, log)
	kinds := document.NewRegistry()
	for _, k := range access.Kinds(a) {
		kinds.Register(k)
	}
	b.catalog = catalog.New(db, kinds, a, b.ledger, b.queue, b.now, log)
	b.catalog.Know(identity.New(db, a, b.ledger, b.now, log))
	b.Service = directory.New(directory.Deps{
		DB: db, Ledger: b.ledger, Queue: b.queue, Access: a, Secrets: b.secrets, Catalog: b.catalog, Now: b.now, Log: log,
		Dial: (&net.Dialer{}).DialContext,
	})
	for _, k := range directory.Kinds(b.Service) {
		kinds.Register(k)
	}
	b.apply("test:rights", rights)
	return b
}

func (b *bench) now() time.Time        { return time.UnixMicro(b.clock.Load()).UTC() }
func (b *bench) later(d time.Duration) { b.clock.Add(d.Microseconds()) }

func system() context.Context { return actor.AsSystem(context.Background()) }

// as gives a context in which a user acts, with a token of some scopes.
func as(name string, scopes ...string) context.Context {
	return actor.With(context.Background(), actor.Principal{ID: "pri_" + name, Kind: actor.User, Ref: ref.New("user", "default", name), Name: name, Scopes: scopes})
}

func (b *bench) try(source, yaml string) error {
	b.t.Helper()
	docs, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.catalog.Apply(system(), catalog.Apply{Space: "default", Source: source, Documents: docs, Prune: true})
	return err
}

func (b *bench) apply(source, yaml string) {
	b.t.Helper()
	if err := b.try(source, yaml); err != nil {
		b.t.Fatal(err)
	}
}

// declare makes the directory default/NAME what a spec says, and does what follows of it.
func (b *bench) declare(name, spec string) {
	b.t.Helper()
	b.apply("test:"+name, "{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: "+name+"}, spec: "+spec+"}")
	b.work()
}

// work does the jobs that wait.
func (b *bench) work() {
	b.t.Helper()
	if _, err := b.queue.Work(system()); err != nil {
		b.t.Fatal(err)
	}
}

// entity gives what the catalog has: the names of relations' targets of a person or group, or "none".
func (b *bench) entity(name string) (spec map[string]any) {
	b.t.Helper()
	r, err := ref.Parse(name, "", "default")
	if err != nil {
		b.t.Fatal(err)
	}
	e, err := b.catalog.Get(system(), r)
	if err != nil {
		return nil
	}
	return e.Document.Spec
}

func (b *bench) status(name string) directory.Directory {
	b.t.Helper()
	d, err := b.Get(system(), "default/"+name)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// count gives how many rows a table has.
func (b *bench) count(table string) (n int) {
	b.t.Helper()
	err := b.db.Read(system(), func(tx *store.Tx) error {
		return tx.QueryRow(system(), "SELECT COUNT(*) FROM "+table).Scan(&n)
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}
