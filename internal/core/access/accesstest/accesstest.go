// Package accesstest gives tests of other rooms spaces, people and rights without a catalog.
package accesstest

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// World changes the documents of an access service as the catalog would: validated, and projected in one transaction.
type World struct {
	t        testing.TB
	db       *store.DB
	kinds    *document.Registry
	existing map[ref.Entity]document.Document
}

// New gives a world over a service. The database has the tables of ledger and access.
func New(t testing.TB, db *store.DB, s *access.Service) *World {
	t.Helper()
	registry := document.NewRegistry()
	for _, k := range access.Kinds(s) {
		registry.Register(k)
	}
	return &World{t: t, db: db, kinds: registry, existing: map[ref.Entity]document.Document{}}
}

// Try applies YAML documents from a source in a space, all or nothing.
func (w *World) Try(space, yaml string) error {
	w.t.Helper()
	docs, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
	if err != nil {
		return err
	}
	access.Sort(docs)
	return w.change(space, docs, nil)
}

// Apply is Try that must work.
func (w *World) Apply(space, yaml string) {
	w.t.Helper()
	if err := w.Try(space, yaml); err != nil {
		w.t.Fatalf("apply in space %s: %v", space, err)
	}
}

// TryDelete deletes documents by reference, such as "rolebinding:default/team".
func (w *World) TryDelete(refs ...string) error {
	w.t.Helper()
	return w.change("", nil, refs)
}

// Delete is TryDelete that must work.
func (w *World) Delete(refs ...string) {
	w.t.Helper()
	if err := w.TryDelete(refs...); err != nil {
		w.t.Fatalf("delete %v: %v", refs, err)
	}
}

// SetUp applies the documents of the first set-up.
func (w *World) SetUp() {
	w.t.Helper()
	if err := w.change(access.Root, access.FirstSetUp(), nil); err != nil {
		w.t.Fatalf("first set-up: %v", err)
	}
}

// Space makes a space.
func (w *World) Space(name, parent string) {
	w.t.Helper()
	w.Apply(access.Root, "{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: "+name+"}, spec: {parent: "+parent+"}}")
}

// User makes a user of the namespace default.
func (w *World) User(name string, groups ...string) {
	w.t.Helper()
	w.Apply(access.Root, "{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: "+name+"}, spec: {memberOf: ["+strings.Join(groups, ", ")+"]}}")
}

// Bind gives a role in a space to subjects, by a document named after the role and the space.
func (w *World) Bind(role, space string, subjects ...string) {
	w.t.Helper()
	w.Apply(access.Root, "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: "+role+"-"+space+"}, spec: {role: "+role+
		", space: "+space+", subjects: ['"+strings.Join(subjects, "', '")+"']}}")
}

func (w *World) change(space string, docs []document.Document, deleted []string) error {
	next := map[ref.Entity]*document.Document{}
	err := w.db.Write(context.Background(), func(tx *store.Tx) error {
		for _, d := range docs {
			kind, wrong := w.kinds.Check(d)
			if len(wrong) > 0 {
				return fault.At("documents are not valid", wrong...)
			}
			c := document.Change{Ref: d.Ref(), Space: space, New: &d}
			if old, exists := w.existing[c.Ref]; exists {
				c.Old = &old
			}
			if err := kind.Changed(context.Background(), tx, c); err != nil {
				return err
			}
			next[c.Ref] = &d
		}
		for _, text := range deleted {
			r, err := ref.Parse(text, "", "default")
			if err != nil {
				return err
			}
			old, exists := w.existing[r]
			if !exists {
				return fault.Errorf(fault.NotFound, "there is no %s", r)
			}
			kind, _ := w.kinds.ByName(r.Kind)
			if err := kind.Changed(context.Background(), tx, document.Change{Ref: r, Space: access.Root, Old: &old}); err != nil {
				return err
			}
			next[r] = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	for r, d := range next {
		if d == nil {
			delete(w.existing, r)
		} else {
			w.existing[r] = *d
		}
	}
	return nil
}

// As gives a context in which a user ("alice") or a machine ("machine:payments/deployer") acts, with a token of the
// given scopes; none means no narrowing.
func As(who string, scopes ...string) context.Context {
	e, err := ref.Parse(who, "user", ref.DefaultNamespace)
	if err != nil {
		panic(err)
	}
	p := actor.Principal{ID: "pri_" + e.Name, Kind: actor.Kind(e.Kind), Ref: e, Name: e.Name}
	if len(scopes) > 0 {
		p.Scopes = scopes
	}
	return actor.With(context.Background(), p)
}
