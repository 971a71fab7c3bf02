package run_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// gave is a result as a worker makes it of a step that gave its secret.
func gave() worker.Result {
	return worker.Result{
		Outputs: map[string]string{"out": "***"},
		Clear:   &worker.Clear{Outputs: map[string]string{"out": "hunter22"}, Secrets: []string{"hunter22"}},
	}
}

func TestWhatAStepGaveIsOpenedForProductsAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{}, plan{Steps: []string{"a", "b"}, Secret: "default/known"})
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, gave()); err != nil {
			t.Fatal(err)
		}
		second := b.lease(t, "w")
		if got := second.Job.Masks; len(got) != 1 || got[0] != "hunter22" || second.Job.Argv[0] != "true" {
			t.Errorf("the job after it is %+v", second.Job)
		}
		if _, _, err := b.hub.PutBlob(b.ctx, second.ID, strings.NewReader("hunter22")); err == nil {
			if got := b.blobs(t); strings.Contains(got, "hunter22") {
				t.Error("an artifact of the job after it rests in the clear")
			}
		} else {
			t.Error(err)
		}
		if err := b.hub.Report(b.ctx, second.ID, worker.Result{Message: "fine"}); err != nil { // it writes the run again
			t.Fatal(err)
		}
		d := b.want(t, r.ID, "done")
		if got := d.Steps[0].Result; got.Clear != nil || got.Given().Outputs["out"] != "***" {
			t.Errorf("people see %+v", got)
		}
		if job := d.Steps[1].Job; len(job.Argv) > 0 || len(job.Masks) > 0 || len(job.MaskRefs) != 1 || job.MaskRefs[0] != "default/known" {
			t.Errorf("of the job after it people see %+v", job)
		}
		if err := b.runs.Open(d.Steps); err != nil || d.Steps[0].Result.Given().Outputs["out"] != "hunter22" {
			t.Errorf("opened it is %+v, %v", d.Steps[0].Result, err)
		}
		b.noRow(t, "hunter22")
	}, rooms()...)
}

// A retry forgets what the try before gave.
func TestWhatAnEarlierTryGaveIsForgotten(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{}, plan{Steps: []string{"a"}})
		failed := gave()
		failed.ExitCode = 1
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, failed); err != nil {
			t.Fatal(err)
		}
		b.want(t, r.ID, "failed")
		if err := b.runs.Retry(b.ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, worker.Result{Outputs: map[string]string{"out": "new"}}); err != nil {
			t.Fatal(err)
		}
		d := b.want(t, r.ID, "done")
		if err := b.runs.Open(d.Steps); err != nil || d.Steps[0].Result.Clear != nil || d.Steps[0].Result.Outputs["out"] != "new" {
			t.Errorf("it gave %+v, %v", d.Steps[0].Result, err)
		}
	}, rooms()...)
}

// Where the key is another one, a run that needs what is sealed ends, and others go on.
func TestWithAnotherKeyARunEnds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db)
		r := b.create(t, run.New{}, plan{Steps: []string{"a", "b"}})
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, gave()); err != nil {
			t.Fatal(err)
		}
		keeper, err := secret.OpenKeeper(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b.runs.Seal = keeper
		if l, err := b.hub.Lease(b.ctx, "w", run.DefaultPool, worker.KindCommand, 0); l != nil || err != nil {
			t.Fatalf("leased %+v, %v", l, err)
		}
		if d := b.want(t, r.ID, "failed"); d.Steps[1].State != run.StepFailed {
			t.Errorf("steps are %s", tell(d.Steps))
		}
		other := b.create(t, run.New{}, plan{Steps: []string{"a"}})
		if err := b.hub.Report(b.ctx, b.lease(t, "w").ID, worker.Result{}); err != nil {
			t.Fatal(err)
		}
		b.want(t, other.ID, "done")
	}, rooms()...)
}

// noRow tells of a row of a step in which a text rests.
func (b bundle) noRow(t *testing.T, text string) {
	t.Helper()
	err := b.db.Read(b.ctx, func(tx *store.Tx) error {
		found, err := tx.Query(b.ctx, "SELECT job || result || reason || title || data FROM run_steps")
		_, err = store.Collect(found, err, func(row store.Row) (struct{}, error) {
			var all string
			err := row.Scan(&all)
			if strings.Contains(all, text) {
				t.Errorf("a row has %q: %s", text, all)
			}
			return struct{}{}, err
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// blobs gives all that rests in the blob store.
func (b bundle) blobs(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
