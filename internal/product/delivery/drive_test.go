package delivery_test

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// shop is the application that most stories are about.
var shop = ref.Entity{Kind: "application", Namespace: "default", Name: "shop"}

// application gives a document; each of lines is added to its spec.
func application(name, repository string, lines ...string) string {
	return fmt.Sprintf(`apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: %s
  annotations: {roadbed.dev/component: "component:default/%s"}
spec:
  project: default
  source: {repoURL: /git/%s, path: deploy, targetRevision: main}
  destination: {name: local, namespace: shop}
  %s
`, name, name, repository, strings.Join(lines, "\n  "))
}

const automated = "syncPolicy: {automated: {prune: true, selfHeal: true}}"

// settings is a manifest that is healthy as soon as it is there.
func settings(name, colour string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {colour: %s}\n", name, colour)
}

// broken is a Deployment whose health never comes.
//
//go:embed testdata/broken.yaml
var broken string

// try changes the document of an application as the catalog would.
func (b *bench) try(space, text string) error {
	b.t.Helper()
	docs, err := document.Parse("app.yaml", []byte(text), document.Limits{})
	if err != nil {
		return err
	}
	kind := delivery.DocumentKind(b.Service)
	if docs[0].Kind == b.policies.Name {
		kind = b.policies
	}
	for _, d := range docs {
		if wrong := kind.Validate(d); len(wrong) > 0 {
			return fault.At("documents are not valid", wrong...)
		}
		c := document.Change{Ref: d.Ref(), Space: space, New: &d}
		if old, exists := b.documents[c.Ref]; exists {
			c.Old = &old
		}
		if err := b.db.Write(b.t.Context(), func(tx *store.Tx) error { return kind.Changed(b.t.Context(), tx, c) }); err != nil {
			return err
		}
		b.documents[c.Ref] = d
	}
	return nil
}

// apply is try that must work, followed by all that comes of it.
func (b *bench) apply(space, text string) {
	b.t.Helper()
	if err := b.try(space, text); err != nil {
		b.t.Fatalf("apply: %v", err)
	}
	b.drain()
}

// forget deletes the document of an application.
func (b *bench) forget(r ref.Entity) {
	b.t.Helper()
	old := b.documents[r]
	b.write(func(tx *store.Tx) error {
		return delivery.DocumentKind(b.Service).Changed(b.t.Context(), tx, document.Change{Ref: r, Old: &old})
	})
	delete(b.documents, r)
}

// repository makes an empty repository in a space.
func (b *bench) repository(space, name string) {
	b.t.Helper()
	namespace, short, _ := strings.Cut(name, "/")
	if _, err := b.git.Create(actor.AsSystem(b.t.Context()), repository.NewRepository{Space: space, Namespace: namespace, Name: short}); err != nil {
		b.t.Fatal(err)
	}
}

// commit pushes files to main as somebody and gives the commit; an empty content deletes a file.
func (b *bench) commit(who, name string, files map[string]string) string {
	b.t.Helper()
	var changes []git.FileChange
	for path, content := range files {
		changes = append(changes, git.FileChange{Path: path, Content: []byte(content), Delete: content == ""})
	}
	return b.commitChanges(who, name, changes)
}

func (b *bench) commitChanges(who, name string, changes []git.FileChange) string {
	b.t.Helper()
	parent, err := b.git.Platform().Head(b.t.Context(), name, "main")
	if err != nil && !fault.Is(err, fault.NotFound) {
		b.t.Fatal(err)
	}
	commit, err := b.git.CommitFiles(accesstest.As(who), name, git.CommitRequest{
		Branch: "main", Parent: parent, Message: "change", Changes: changes, Author: git.Signature{Name: who, Email: who + "@x.test", When: time.Now()},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return commit
}

// push is commit, followed by all that comes of it.
func (b *bench) push(name string, files map[string]string) string {
	b.t.Helper()
	commit := b.commit("alice", name, files)
	b.drain()
	return commit
}

// drain lets the room hear of what happened, and does its jobs and steps, until there is nothing left.
func (b *bench) drain() {
	b.t.Helper()
	for b.hear() || b.work() || b.step() != nil {
	}
}

// hear gives the room what is new in the ledger, as its subscription would.
func (b *bench) hear() bool {
	b.t.Helper()
	ctx := actor.AsSystem(b.t.Context())
	if b.db.Dialect() == store.Postgres {
		if _, err := b.ledger.Seal(ctx); err != nil {
			b.t.Fatal(err)
		}
	}
	var entries []ledger.Entry
	err := b.db.Read(ctx, func(tx *store.Tx) (err error) {
		entries, err = b.ledger.List(ctx, tx, ledger.Query{After: b.taken, Limit: 100})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	wanted := []string{"repository.pushed", "stack.outputs-changed", "run.state-changed", "trigger."}
	for _, e := range entries {
		for _, w := range wanted {
			if e.Type == w || strings.HasSuffix(w, ".") && strings.HasPrefix(e.Type, w) {
				b.write(func(tx *store.Tx) error { return b.Happened(ctx, tx, e) })
			}
		}
		b.taken = e.Position
	}
	return len(entries) > 0
}

func (b *bench) work() bool {
	b.t.Helper()
	n, err := b.queue.Work(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return n > 0
}

// lease takes the next step; nil when none is ready.
func (b *bench) lease() *worker.Lease {
	b.t.Helper()
	if _, err := b.runs.Tick(actor.AsSystem(b.t.Context())); err != nil { // locks are handed over
		b.t.Fatal(err)
	}
	l, err := b.hub.Lease(actor.AsSystem(b.t.Context()), "server-1", run.ServerPool, worker.KindPlatform, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// step does the next step; nil when none is ready.
func (b *bench) step() *worker.Lease {
	b.t.Helper()
	l := b.lease()
	if l != nil {
		b.report(l, b.perform(l))
	}
	return l
}

// perform does the work of a step and gives what is to be reported, as the worker makes it.
func (b *bench) perform(l *worker.Lease) worker.Result {
	b.t.Helper()
	var log strings.Builder
	result, err := b.Handlers()[l.Job.Action](actor.AsSystem(b.t.Context()), *l, &log)
	b.logs.WriteString(log.String())
	if err != nil {
		b.t.Fatalf("%s: %v", l.Job.Action, err)
	}
	return result
}

func (b *bench) report(l *worker.Lease, result worker.Result) {
	b.t.Helper()
	if err := b.hub.Report(actor.AsSystem(b.t.Context()), l.ID, result); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) status(r ref.Entity) delivery.Status {
	b.t.Helper()
	st, err := b.Get(accesstest.As("adam"), r)
	if err != nil {
		b.t.Fatalf("get %s: %v", r, err)
	}
	return st
}

// syncs gives the sync runs of an application, oldest first.
func (b *bench) syncs(r ref.Entity) []run.Run {
	b.t.Helper()
	page, err := b.runs.List(accesstest.As("adam"), run.Query{Kinds: []string{delivery.RunKind}, Subject: r.String(), Limit: 200})
	if err != nil {
		b.t.Fatal(err)
	}
	for i, j := 0, len(page.Runs)-1; i < j; i, j = i+1, j-1 {
		page.Runs[i], page.Runs[j] = page.Runs[j], page.Runs[i]
	}
	return page.Runs
}

// states gives state and reason of each sync, oldest first.
func (b *bench) states(r ref.Entity) string {
	b.t.Helper()
	var out []string
	for _, s := range b.syncs(r) {
		out = append(out, s.State)
	}
	return strings.Join(out, " ")
}

func (b *bench) history(r ref.Entity) []delivery.Revision {
	b.t.Helper()
	list, err := b.History(accesstest.As("adam"), r, 200)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// colour gives what the live ConfigMap of the namespace shop says, "" when there is none.
func (b *bench) colour(name string) string {
	b.t.Helper()
	o, err := b.node.Get(b.t.Context(), key("ConfigMap", name))
	if err != nil && !fault.Is(err, fault.NotFound) {
		b.t.Fatal(err)
	}
	return o.Text("data", "colour")
}

// want fails the test unless the application is so.
func (b *bench) want(r ref.Entity, sync, health, synced, message string) {
	b.t.Helper()
	st := b.status(r)
	if st.Sync != sync || string(st.Health) != health || st.Synced != synced || !strings.Contains(st.Message, message) || (message == "" && st.Message != "") {
		for _, r := range b.syncs(r) {
			b.t.Logf("%s %s %s: %s", r.ID, r.Title, r.State, r.Reason)
		}
		b.t.Fatalf("%s is %s, %s, at %q: %q\nwant %s, %s, at %q: %q\n%s", r, st.Sync, st.Health, st.Synced, st.Message, sync, health, synced, message, b.logs.String())
	}
}

// entries gives how many entries of a type the ledger has.
func (b *bench) entries(kind string) (n int) {
	b.t.Helper()
	err := b.db.Read(context.Background(), func(tx *store.Tx) error {
		list, err := b.ledger.List(context.Background(), tx, ledger.Query{Types: []string{kind}, Limit: 1000})
		n = len(list)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func errorWith(t *testing.T, err error, kind fault.Kind, says string) {
	t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("error = %v; want %v with %q", err, kind, says)
	}
}
