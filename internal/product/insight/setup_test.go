package insight

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is the room with a catalog and runs. Lea reads in the space shop alone, rita everywhere.
type bench struct {
	*Service
	t    testing.TB
	docs *written

	mu  sync.Mutex
	now time.Time
}

// written are docs by entity.
type written struct {
	docs   map[string]Documented
	failed map[string]error
	asked  func()   // when it is
	read   []string // of which
}

func (w *written) Of(_ context.Context, e ref.Entity) (Documented, error) {
	if w.asked != nil {
		w.asked()
	}
	w.read = append(w.read, e.String())
	return w.docs[e.String()], w.failed[e.String()]
}

func (w *written) Reads(ctx context.Context, e ref.Entity) (Documented, error) { return w.Of(ctx, e) }

func (w *written) Entities(_ context.Context, site string) ([]string, error) {
	return []string{site}, nil
}

const people = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: shop}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: rita-reads}, spec: {role: reader, space: default, subjects: ['user:default/rita']}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: scans}, spec: {permissions: ['finding:write', 'metric:write']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: scanner-scans}, spec: {role: scans, space: shop, subjects: ['user:default/scanner']}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lea-reads}, spec: {role: reader, space: shop, subjects: ['user:default/lea']}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: company}, spec: {type: company, children: [crew]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: []}}
`

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), queue.Migrations(), access.Migrations(), identity.Migrations(), catalog.Migrations(), run.Migrations(), Migrations()}
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, setup(t, db)) }, rooms()...)
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(time.Millisecond) // two things never happen at once
	return b.now
}

func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func setup(t testing.TB, db *store.DB) *bench {
	t.Helper()
	log := storetest.Log(t)
	b := &bench{t: t, docs: &written{docs: map[string]Documented{}, failed: map[string]error{}}, now: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	l, q, kinds := ledger.New(db, b.clock, log), queue.NewAt(db, b.clock, log), document.NewRegistry()
	rights := access.New(db, l, b.clock, log)
	entities := catalog.New(db, kinds, rights, l, q, b.clock, log)
	blobs, err := blob.OpenFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	runs := run.NewService(run.Deps{DB: db, Ledger: l, Blob: blobs, Access: rights, Now: b.clock, Log: log})
	runs.Register(run.Kind{
		Name: "build", Initial: "open", States: map[string]run.State{"open": {Next: []string{"succeeded"}}, "succeeded": {Terminal: true}},
		Advance: func(v *run.View) error {
			if v.Run.State == "open" {
				return v.To("succeeded", "")
			}
			return nil
		},
	})
	b.Service = New(Deps{DB: db, Ledger: l, Queue: q, Access: rights, Catalog: entities, Runs: runs, Docs: b.docs, Now: b.clock, Log: log})
	for _, k := range append(access.Kinds(rights), Kinds(b.Service)...) {
		kinds.Register(k)
	}
	entities.Know(identity.New(db, rights, l, b.clock, log))
	b.apply("default", "roadbed:set-up", people)
	return b
}

func system() context.Context { return actor.AsSystem(context.Background()) }

func as(name string) context.Context {
	return actor.With(context.Background(), actor.Principal{ID: "pri_" + name, Kind: actor.User, Ref: ref.New("user", "default", name)})
}

func (b *bench) apply(space, source, yaml string) {
	b.t.Helper()
	documents, err := document.Parse("test.yaml", []byte(yaml), document.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Catalog.Apply(system(), catalog.Apply{Space: space, Source: source, Documents: documents, Prune: true}); err != nil {
		b.t.Fatal(err)
	}
}

// judged has everything judged that is due.
func (b *bench) judged() {
	b.t.Helper()
	if _, err := b.Ledger.Seal(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	if err := b.judgeDue(system()); err != nil {
		b.t.Fatal(err)
	}
	b.adds()
}

// levels tells where entities are, as somebody sees it.
func (b *bench) levels(who context.Context, q ResultQuery) map[string]string {
	b.t.Helper()
	part, err := b.Results(who, named("scorecard:default/ready"), q, everything)
	if err != nil {
		b.t.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range part.Items {
		found[r.Entity] = fmt.Sprint(r.Level, " ", r.Failed)
	}
	return found
}

func (b *bench) want(who context.Context, q ResultQuery, want map[string]string) {
	b.t.Helper()
	if got := b.levels(who, q); !maps.Equal(got, want) {
		b.t.Errorf("the results are %v, want %v", got, want)
	}
}

func named(name string) ref.Entity {
	r, err := ref.Parse(name, "component", "default")
	if err != nil {
		panic(err) // a name of a test
	}
	return r
}

// adds holds the counts to the sums of the results, and those of today to these.
func (b *bench) adds() {
	b.t.Helper()
	err := b.DB.Read(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Query(context.Background(), `SELECT `+resultColumns+` FROM insight_results`)
		results, err := store.Collect(rows, err, scanResult)
		if err != nil {
			return err
		}
		want, got := map[place]Counts{}, map[place]Counts{}
		for _, r := range results {
			p := place{r.Scorecard, r.Space, r.Owner}
			c := want[p]
			c.add(counted(r.Level, r.Failed), 1)
			want[p] = c
		}
		cards, err := allCards(context.Background(), tx)
		if err != nil {
			return err
		}
		for _, c := range cards {
			all, err := countsOf(context.Background(), tx, c.Ref.String(), nil, nil)
			if err != nil {
				return err
			}
			for _, p := range all {
				got[place{c.Ref.String(), p.space, p.owner}] = p.Counts
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			b.t.Errorf("the counts are %v, and the sums %v", got, want)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
