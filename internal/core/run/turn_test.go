package run_test

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// TestWhoStandsAsideHoldsNobodyUp, and comes before who came later when its turn has come.
func TestWhoStandsAsideHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		aside := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}, Aside: true})
		first := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		second := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		waiting := func() (ids []string) {
			t.Helper()
			err := db.Read(b.ctx, func(tx *store.Tx) error {
				holder, all, err := b.runs.QueueTx(b.ctx, tx, "stack:x")
				if err != nil {
					return err
				}
				ids = append(ids, holder.ID)
				for _, r := range all {
					ids = append(ids, r.ID)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		if ids := waiting(); len(ids) != 2 || ids[0] != first.ID || ids[1] != second.ID {
			t.Fatalf("beside one that stands aside the queue is %q", ids)
		}
		b.tick(t)
		b.want(t, aside.ID, "queued")
		if err := db.Write(b.ctx, func(tx *store.Tx) error { return b.runs.Review(b.ctx, tx, aside.ID, "go on", "") }); err != nil {
			t.Fatal(err)
		}
		b.want(t, aside.ID, "queued")
		if ids := waiting(); len(ids) != 3 || ids[0] != first.ID || ids[1] != aside.ID || ids[2] != second.ID {
			t.Fatalf("when its turn has come the queue is %q", ids)
		}
		for _, next := range []run.Run{first, aside, second} {
			b.tick(t)
			l := b.lease(t, "w")
			if l == nil || l.Run != next.ID {
				t.Fatalf("lease = %+v, want one of run %s", l, next.ID)
			}
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
				t.Fatal(err)
			}
			b.want(t, next.ID, "done")
		}

		// Where nobody holds the lock, it takes it at once.
		alone := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}, Aside: true})
		b.want(t, alone.ID, "queued")
		if err := db.Write(b.ctx, func(tx *store.Tx) error { return b.runs.Review(b.ctx, tx, alone.ID, "go on", "") }); err != nil {
			t.Fatal(err)
		}
		b.want(t, alone.ID, "running")
	}, rooms()...)
}

// TestWhoKeepsItsPlaceHoldsUpWhoComesAfter, until its turn has come or it is gone.
func TestWhoKeepsItsPlaceHoldsUpWhoComesAfter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		say := func(id string) {
			t.Helper()
			if err := db.Write(b.ctx, func(tx *store.Tx) error { return b.runs.Review(b.ctx, tx, id, "go on", "") }); err != nil {
				t.Fatal(err)
			}
		}
		end := func(want string) {
			t.Helper()
			l := b.lease(t, "w")
			if l == nil || l.Run != want {
				t.Fatalf("lease = %+v, want one of run %s", l, want)
			}
			if err := b.hub.Report(b.ctx, l.ID, worker.Result{}); err != nil {
				t.Fatal(err)
			}
			b.want(t, want, "done")
			b.tick(t)
		}
		keeps := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}, Keeps: true})
		behind := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		urgent := b.create(t, run.New{Lock: "stack:x", Priority: 5}, plan{Steps: []string{"one"}})
		b.want(t, urgent.ID, "running")
		b.want(t, behind.ID, "queued")
		end(urgent.ID)
		b.want(t, keeps.ID, "queued")
		b.want(t, behind.ID, "queued")
		say(keeps.ID)
		b.want(t, keeps.ID, "running")
		end(keeps.ID)
		end(behind.ID)

		gone := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}, Keeps: true})
		next := b.create(t, run.New{Lock: "stack:x"}, plan{Steps: []string{"one"}})
		b.tick(t)
		b.want(t, next.ID, "queued")
		if err := b.runs.Cancel(b.ctx, gone.ID); err != nil {
			t.Fatal(err)
		}
		b.tick(t)
		end(next.ID)
	}, rooms()...)
}
