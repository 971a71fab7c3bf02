package policy_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// bench is an installation with the spaces default, payments and search.
type bench struct {
	*accesstest.World
	t     *testing.T
	db    *store.DB
	s     *policy.Service
	kind  document.Kind
	blobs string // the folder of the blobs
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newBench(t, db)) },
		ledger.Migrations(), access.Migrations(), policy.Migrations())
}

func one(t *testing.T) *bench {
	t.Helper()
	return newBench(t, storetest.SQLite(t, ledger.Migrations(), access.Migrations(), policy.Migrations()))
}

func newBench(t *testing.T, db *store.DB) *bench {
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, time.Now, log)
	rights := access.New(db, book, time.Now, log)
	b := &bench{World: accesstest.New(t, db, rights), t: t, db: db, blobs: t.TempDir()}
	blobs, err := blob.OpenFiles(b.blobs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	b.s = policy.New(db, blobs, rights, book, time.Now, log)
	b.kind = policy.Kinds(b.s)[0]
	b.Space("payments", "default")
	b.Space("search", "default")
	return b
}

// attach applies a policy from a source in a space.
func (b *bench) attach(space, name, point, rego string) {
	b.t.Helper()
	d := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: name},
		Spec: map[string]any{"point": point, "rego": rego}}
	b.apply(space, d)
}

func (b *bench) apply(space string, d document.Document) {
	b.t.Helper()
	if wrong := b.kind.Validate(d); len(wrong) > 0 {
		b.t.Fatalf("%s is not valid: %v", d.Metadata.Name, wrong)
	}
	b.change(document.Change{Ref: d.Ref(), Space: space, New: &d})
}

func (b *bench) change(c document.Change) {
	b.t.Helper()
	err := b.db.Write(context.Background(), func(tx *store.Tx) error { return b.kind.Changed(context.Background(), tx, c) })
	if err != nil {
		b.t.Fatal(err)
	}
}

func system() context.Context { return actor.AsSystem(context.Background()) }

func (b *bench) decide(point, space string, input any) policy.Decision {
	b.t.Helper()
	if text, ok := input.(string); ok {
		input = json.RawMessage(text)
	}
	d, err := b.s.Decide(system(), point, space, input, policy.Refs{Run: "run_x", Subject: "stack:default/shop"})
	if err != nil {
		b.t.Fatalf("decide: %v", err)
	}
	return d
}

func want(t *testing.T, d policy.Decision, outcome map[string][]string) {
	t.Helper()
	if !reflect.DeepEqual(d.Outcome, outcome) {
		t.Errorf("the outcome is %v; want %v (votes %+v)", d.Outcome, outcome, d.Votes)
	}
}

func BenchmarkDecide(b *testing.B) {
	db := storetest.SQLite(b, ledger.Migrations(), access.Migrations(), policy.Migrations())
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, time.Now, log)
	blobs, err := blob.OpenFiles(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer blobs.Close()
	s := policy.New(db, blobs, access.New(db, book, time.Now, log), book, time.Now, log)
	for _, d := range policy.Shipped() {
		err := db.Write(context.Background(), func(tx *store.Tx) error {
			return policy.Kinds(s)[0].Changed(context.Background(), tx, document.Change{Ref: d.Ref(), Space: "default", New: &d})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	input := json.RawMessage(planned(many(50, `"create"`)...))
	for b.Loop() {
		if _, err := s.Decide(system(), "plan", "default", input, policy.Refs{}); err != nil {
			b.Fatal(err)
		}
	}
}
