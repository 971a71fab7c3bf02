package run_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// agent is one that takes the steps of the default pool.
func (b bundle) agent(name string) *run.AgentHub {
	yes := func(context.Context, *store.Tx) (bool, error) { return true, nil }
	return b.runs.AgentHub(noArchives{}, run.Agent{
		Worker: "pool/" + name, Pool: run.DefaultPool, Admits: yes,
		Serves: func(ctx context.Context, tx *store.Tx, _ string) (bool, error) { return yes(ctx, tx) },
		Fits:   func(context.Context, *store.Tx, *worker.Job) error { return nil },
	})
}

func (b bundle) takes(t *testing.T, h *run.AgentHub) *worker.Lease {
	t.Helper()
	l, err := h.LeaseAs(b.ctx, ref.NewID(ref.Lease, b.clock.Now()), 0)
	if err != nil || l == nil {
		t.Fatalf("no step is given: %v", err)
	}
	return l
}

// TestWhatAgentsPutAndNoStepNamesGoes puts artifacts that are named, those that are not, and those that others have put, too.
func TestWhatAgentsPutAndNoStepNamesGoes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		h := b.agent("one")
		put := func(l *worker.Lease, text string) string {
			t.Helper()
			digest, size, err := h.PutBlob(b.ctx, l.ID, strings.NewReader(text))
			if err != nil || size != int64(len(text)) {
				t.Fatalf("put %q: %d, %v", text, size, err)
			}
			return digest
		}
		there := func(digest string) bool {
			t.Helper()
			content, _, err := b.runs.Blob.Open(b.ctx, digest)
			if err == nil {
				content.Close()
			} else if !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		drop := func(want int, what string) {
			t.Helper()
			if n, err := b.runs.DropLeftovers(b.ctx); err != nil || n != want {
				t.Errorf("%s: %d are dropped, %v; want %d", what, n, err, want)
			}
		}
		others, _, err := b.runs.Blob.Put(b.ctx, strings.NewReader("somebody's"), 100)
		if err != nil {
			t.Fatal(err)
		}
		r := b.create(t, run.New{}, plan{Steps: []string{"build"}, Output: "app"})
		l := b.takes(t, h)
		named, unnamed, before, since := put(l, "named"), put(l, "not named"), put(l, "somebody's"), put(l, "of both")
		if put(l, "not named") != unnamed { // an answer was lost, and it is sent again
			t.Error("the same has another address")
		}
		if _, _, err := b.runs.Blob.Put(b.ctx, strings.NewReader("of both"), 100); err != nil {
			t.Fatal(err)
		}
		b.clock.add(2 * time.Hour)
		drop(0, "while the step runs")
		if before != others || !there(unnamed) {
			t.Errorf("%s, %t", before, there(unnamed))
		}
		if err := h.Report(b.ctx, l.ID, worker.Result{Artifacts: map[string]worker.Artifact{"app": {Digest: named, Size: 5, Kind: worker.OutputFile}}}); err != nil {
			t.Fatal(err)
		}
		b.want(t, r.ID, "done")
		drop(1, "when it has ended")
		drop(0, "once more")
		for what, c := range map[string]struct {
			digest string
			want   bool
		}{"what is named": {named, true}, "what is not": {unnamed, false}, "what somebody had put before": {before, true}, "what somebody has put since": {since, true}} {
			if there(c.digest) != c.want {
				t.Errorf("%s is there: %t", what, !c.want)
			}
		}

		// What an agent had put that is lost goes too, and not before the time in which it could still tell of it.
		b.create(t, run.New{}, plan{Steps: []string{"build"}, Output: "app"})
		l = b.takes(t, h)
		lost := put(l, "of a lost one")
		b.clock.add(31 * time.Second)
		if _, err := b.runs.Tick(b.ctx); err != nil {
			t.Fatal(err)
		}
		if err := h.Report(b.ctx, l.ID, worker.Result{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("a lost agent reports: %v", err)
		}
		drop(0, "at once")
		b.clock.add(2 * time.Hour)
		drop(1, "of a lost agent")
		if there(lost) {
			t.Error("what a lost agent has put is there")
		}
		// The next one puts the same, and names it.
		l = b.takes(t, b.agent("two"))
		h = b.agent("two")
		again := put(l, "of a lost one")
		if err := h.Report(b.ctx, l.ID, worker.Result{Artifacts: map[string]worker.Artifact{"app": {Digest: again, Size: 13, Kind: worker.OutputFile}}}); err != nil {
			t.Fatal(err)
		}
		b.clock.add(2 * time.Hour)
		drop(0, "of the next one")
		if !there(again) {
			t.Error("what the next agent named is gone")
		}
	}, rooms()...)
}
