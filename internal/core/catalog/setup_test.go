package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is a catalog with people and real repositories. Adam administers everything, alice and bob develop in default,
// rita reads there, carol develops in lab alone, and ops is a space beside lab that only adam sees.
type bench struct {
	*catalog.Service
	t            testing.TB
	db           *store.DB
	ledger       *ledger.Ledger
	queue        *queue.Queue
	kinds        *document.Registry
	repositories *repository.Service
	dir          string            // of them
	seen         []document.Change // by the kind Widget
}

const people = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: ops}, spec: {parent: default}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: team}, spec: {type: team, children: []}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: admins}, spec: {role: admin, subjects: ['user:default/adam']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: developers}, spec: {role: developer, subjects: ['user:default/alice', 'user:default/bob']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lab-developers}, spec: {role: developer, space: lab, subjects: ['user:default/carol']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: ops-admins}, spec: {role: admin, space: ops, subjects: ['user:default/olga']}}
`

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db)) },
		rooms()...)
}

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), queue.Migrations(), access.Migrations(), identity.Migrations(), catalog.Migrations(), repository.Migrations()}
}

func setup(t testing.TB, db *store.DB) *bench {
	t.Helper()
	log := storetest.Log(t)
	b := &bench{t: t, db: db, ledger: ledger.New(db, time.Now, log), queue: queue.New(db, log), kinds: document.NewRegistry()}
	rights := access.New(db, b.ledger, time.Now, log)
	for _, k := range access.Kinds(rights) {
		b.kinds.Register(k)
	}
	b.kinds.Register(document.Kind{APIVersions: []string{"test.dev/v1"}, Name: "Widget", Changed: func(_ context.Context, _ *store.Tx, c document.Change) error {
		if c.New != nil && c.New.Spec["refuse"] == true {
			return fault.Errorf(fault.Invalid, "widgets like this are not made")
		}
		if c.New != nil && c.New.Spec["away"] == true {
			return fault.Errorf(fault.Unavailable, "who makes widgets is away")
		}
		b.seen = append(b.seen, c)
		return nil
	}, Complete: func(d document.Document) document.Document {
		d = d.Clone()
		d.Spec["completed"] = true
		return d
	}})
	b.Service = catalog.New(db, b.kinds, rights, b.ledger, b.queue, time.Now, log)
	b.Hasten()
	b.dir = t.TempDir()
	program, err := git.New("", log)
	if err != nil {
		t.Fatal(err)
	}
	if b.repositories, err = repository.New(db, rights, b.ledger, program, b.dir, time.Now, log); err != nil {
		t.Fatal(err)
	}
	b.Read(b.repositories.Platform())
	b.Know(identity.New(db, rights, b.ledger, time.Now, log))
	b.Addresses("https://roadbed.test")
	b.apply(system(), "default", "roadbed:set-up", people)
	return b
}

func system() context.Context { return actor.AsSystem(context.Background()) }

func parse(t testing.TB, yaml string) []document.Document {
	t.Helper()
	documents, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

func (b *bench) try(ctx context.Context, space, source, yaml string) (catalog.Outcome, error) {
	b.t.Helper()
	return b.Apply(ctx, catalog.Apply{Space: space, Source: source, Documents: parse(b.t, yaml)})
}

// apply gives the actions, such as "created unchanged".
func (b *bench) apply(ctx context.Context, space, source, yaml string) string {
	b.t.Helper()
	out, err := b.try(ctx, space, source, yaml)
	if err != nil {
		b.t.Fatal(err)
	}
	return actions(out)
}

func actions(out catalog.Outcome) string {
	var words []string
	for _, item := range out.Items {
		words = append(words, string(item.Action))
	}
	return strings.Join(words, " ")
}

func (b *bench) get(name string) catalog.Entity {
	b.t.Helper()
	e, err := b.Get(system(), parseRef(b.t, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bench) gone(ctx context.Context, name string) {
	b.t.Helper()
	if e, err := b.Get(ctx, parseRef(b.t, name)); !fault.Is(err, fault.NotFound) {
		b.t.Errorf("%s is there for the asker: %v, %v", name, e.Ref, err)
	}
}

func parseRef(t testing.TB, name string) ref.Entity {
	t.Helper()
	r, err := ref.Parse(name, "component", "default")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(page catalog.Page) string {
	var all []string
	for _, e := range page.Items {
		all = append(all, e.Ref.Name)
	}
	return strings.Join(all, " ")
}

// refused wants an error of a kind whose text has all words.
func refused(t testing.TB, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("got %v (%v), want %v", err, fault.KindOf(err), kind)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in: %v", word, err)
		}
	}
}

// entries counts the ledger's entries of a type about a subject.
func (b *bench) entries(kind, subject string) int {
	b.t.Helper()
	if b.db.Dialect() == store.Postgres {
		b.sealed()
	}
	var list []ledger.Entry
	err := b.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		list, err = b.ledger.List(context.Background(), tx, ledger.Query{Types: []string{kind}, Ref: subject, Limit: 1000})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(list)
}

// sealed has PostgreSQL's ledger seal what was appended.
func (b *bench) sealed() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	last := ""
	err := b.db.Write(ctx, func(tx *store.Tx) (err error) {
		last, err = b.ledger.Append(system(), tx, ledger.Entry{Type: "test.sealed", Subject: "test"})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	one := ledger.New(b.db, time.Now, storetest.Log(b.t))
	done := make(chan error, 1)
	go func() { done <- one.Run(ctx) }()
	for position := int64(0); ; position++ {
		if err := one.Wait(ctx, position); err != nil {
			b.t.Fatal(err)
		}
		err := b.db.Read(ctx, func(tx *store.Tx) error { _, err := one.Get(ctx, tx, last); return err })
		if err == nil {
			break
		}
		if !fault.Is(err, fault.NotFound) {
			b.t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		b.t.Error(err)
	}
}

// repository makes a repository of alice's or whoever acts.
func (b *bench) repository(ctx context.Context, space, name string) {
	b.t.Helper()
	namespace, short, _ := strings.Cut(name, "/")
	if _, err := b.repositories.Create(ctx, repository.NewRepository{Space: space, Namespace: namespace, Name: short}); err != nil {
		b.t.Fatal(err)
	}
}

// push commits files ("" deletes one) and gives the commit.
func (b *bench) push(ctx context.Context, name string, files map[string]string) string {
	b.t.Helper()
	parent, err := b.repositories.Platform().Head(ctx, name, "")
	if err != nil && !fault.Is(err, fault.NotFound) {
		b.t.Fatal(err)
	}
	request := git.CommitRequest{Branch: "main", Parent: parent, Author: git.Signature{Name: "Alice", Email: "alice@example.com"}, Message: "change"}
	for path, text := range files {
		request.Changes = append(request.Changes, git.FileChange{Path: path, Content: []byte(text), Delete: text == ""})
	}
	commit, err := b.repositories.CommitFiles(ctx, name, request)
	if err != nil {
		b.t.Fatal(err)
	}
	return commit
}

// follow lets the subscribers see all that has happened, what is pushed now too, and does the jobs that they enqueue: one at
// least.
func (b *bench) follow(pushes func()) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	woken, stop := b.db.Listen("queue.jobs")
	defer stop()
	done := make(chan error, 1)
	pushes()
	for more := 1; more > 0; {
		var err error
		if more, err = b.ledger.Seal(ctx); err != nil {
			b.t.Fatal(err)
		}
	}
	go func() { done <- b.ledger.Run(ctx) }()
	again := time.NewTicker(5 * time.Millisecond) // nothing tells how far the subscribers are
	defer again.Stop()
	for did := 0; ; {
		behind := b.behind()
		n, err := b.queue.Work(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		if did += n; did > 0 && n == 0 && !behind {
			break
		}
		select {
		case <-woken:
		case <-again.C:
		case <-ctx.Done():
			b.t.Fatalf("%d jobs were enqueued for the push, and the subscribers are behind: %t", did, behind)
		}
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		b.t.Error(err)
	}
}

// behind tells whether there is what the subscribers have not seen.
func (b *bench) behind() (behind bool) {
	b.t.Helper()
	err := b.db.Read(context.Background(), func(tx *store.Tx) error {
		all, err := b.ledger.Subscriptions(context.Background(), tx)
		behind = slices.ContainsFunc(all, func(s ledger.Subscription) bool { return s.Lag > 0 })
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return behind
}
