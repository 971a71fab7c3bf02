package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// none are queries that must count nothing in the database of a server at rest.
var none = map[string]string{
	"locks of runs":                     "SELECT COUNT(*) FROM run_locks",
	"locks of states":                   "SELECT COUNT(*) FROM stack_locks",
	"leases of steps":                   "SELECT COUNT(*) FROM run_steps WHERE state = 'leased'",
	"open steps of ended runs":          "SELECT COUNT(*) FROM run_steps s JOIN runs r ON r.id = s.run WHERE r.terminal = 1 AND s.state IN ('waiting', 'ready')",
	"runs that have not ended":          "SELECT COUNT(*) FROM runs WHERE terminal = 0",
	"runs without exactly one creation": "SELECT COUNT(*) FROM runs r WHERE (SELECT COUNT(*) FROM ledger_entries e WHERE e.subject = r.id AND e.type = 'run.created') <> 1",
	"creations of runs that are not":    "SELECT COUNT(*) FROM ledger_entries e WHERE e.type = 'run.created' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = e.subject)",
	"applies that were repeated":        "SELECT COUNT(*) FROM run_steps WHERE key LIKE 'apply%' AND job LIKE '%stack:state%' AND attempt > 1",
	"tokens of steps":                   "SELECT COUNT(*) FROM identity_workloads",
	"jobs under a lease":                "SELECT COUNT(*) FROM jobs WHERE state = 1",
	"jobs that were given up":           "SELECT COUNT(*) FROM jobs WHERE state = 2",
	"entries that are not sealed":       "SELECT COUNT(*) FROM ledger_pending",
	"pushes that are not recorded":      "SELECT COUNT(*) FROM repositories WHERE dirty = 1",
	"pushes that were refused or lost":  "SELECT COUNT(*) FROM trigger_events WHERE outcome NOT IN ('started', 'skipped')",
	"commits with two pipelines":        "SELECT COUNT(*) FROM (SELECT commit_id FROM runs WHERE kind = 'workflow' GROUP BY subject, commit_id HAVING COUNT(*) > 1) x",
	"locations that can't be read":      "SELECT COUNT(*) FROM locations WHERE error <> ''",
}

// scan looks at what a stopped server has left: every main job's work is there, and once.
func (w *town) scan(t *testing.T, v *victim) {
	t.Helper()
	ctx := actor.AsSystem(context.Background())
	o := Defaults()
	o.Data, o.Database = v.data, v.database
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	report, err := ledger.Verify(ctx, db)
	if err != nil || report.Broken != nil {
		t.Errorf("the ledger is broken: %+v, %v", report.Broken, err)
	}
	read := func(do func(tx *store.Tx) error) {
		t.Helper()
		if err := db.Read(ctx, do); err != nil {
			t.Error(err)
		}
	}
	for what, query := range none {
		read(func(tx *store.Tx) error {
			n := 0
			err := tx.QueryRow(ctx, query).Scan(&n)
			if n != 0 {
				t.Errorf("%s: %d", what, n)
			}
			return err
		})
	}
	read(func(tx *store.Tx) error {
		ill, err := texts(ctx, tx, "SELECT kind || ' run ' || id || ' is ' || state || ': ' || reason FROM runs WHERE state NOT IN ('finished', 'succeeded') AND NOT (kind = 'sync' AND state = 'failed' AND reason LIKE 'rolled back to %')") // see scanService
		for _, r := range ill {
			t.Error(r)
		}
		return err
	})
	read(func(tx *store.Tx) error { return scanMoves(ctx, t, tx) })
	read(func(tx *store.Tx) error { return scanPushes(ctx, t, tx) })
	for _, s := range w.built {
		read(func(tx *store.Tx) error { return w.scanService(ctx, t, tx, s) })
	}
	read(func(tx *store.Tx) error { return w.scanWhole(ctx, t, tx) })
	read(func(tx *store.Tx) error {
		hit, err := texts(ctx, tx, `SELECT r.kind || ' ' || CASE WHEN s.step_group <> '' THEN s.step_group || ' ' ELSE '' END || s.title || ': ' || CAST(SUM(s.attempt - 1 + CASE WHEN s.state = 'failed' THEN 1 ELSE 0 END) AS TEXT)
 FROM run_steps s JOIN runs r ON r.id = s.run WHERE s.attempt > 1 OR s.state = 'failed' GROUP BY r.kind, s.step_group, s.title ORDER BY 1`)
		t.Logf("steps that were lost with a server: %s", strings.Join(hit, "; "))
		return err
	})
	t.Logf("%d entries of the ledger, %d services", report.Entries, len(w.built))
}

func texts(ctx context.Context, tx *store.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, query, args...)
	return store.Collect(rows, err, func(r store.Row) (s string, err error) { return s, r.Scan(&s) })
}

// scanMoves follows each run through its entries: each begins where the one before ended, and the last is where it is.
func scanMoves(ctx context.Context, t *testing.T, tx *store.Tx) error {
	type line struct{ run, kind, data string }
	rows, err := tx.Query(ctx, "SELECT subject, type, data FROM ledger_entries WHERE type IN ('run.created', 'run.state-changed') ORDER BY position")
	lines, err := store.Collect(rows, err, func(r store.Row) (l line, err error) { return l, r.Scan(&l.run, &l.kind, &l.data) })
	if err != nil {
		return err
	}
	at := map[string]string{}
	for _, l := range lines {
		var move struct{ State, From, To string }
		if err := json.Unmarshal([]byte(l.data), &move); err != nil {
			return err
		}
		if l.kind == "run.created" {
			at[l.run] = move.State
			continue
		}
		if at[l.run] != move.From {
			t.Errorf("run %s is %s, and the ledger says that it went from %s to %s", l.run, at[l.run], move.From, move.To)
		}
		at[l.run] = move.To
	}
	rows, err = tx.Query(ctx, "SELECT id, kind, state FROM runs")
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var id, kind, state string
		err := r.Scan(&id, &kind, &state)
		if at[id] != state {
			t.Errorf("%s run %s is %s, and the ledger ends with %s", kind, id, state, at[id])
		}
		return struct{}{}, err
	})
	return err
}

// scanPushes follows each reference through its entries, up to where the repository has it.
func scanPushes(ctx context.Context, t *testing.T, tx *store.Tx) error {
	all, err := texts(ctx, tx, "SELECT data FROM ledger_entries WHERE type = 'repository.pushed' ORDER BY position")
	if err != nil {
		return err
	}
	const nothing = "0000000000000000000000000000000000000000"
	at := map[string]string{}
	for _, data := range all {
		var push struct{ Repository, Ref, Old, New string }
		if err := json.Unmarshal([]byte(data), &push); err != nil {
			return err
		}
		name := push.Repository + " " + push.Ref
		if before := at[name]; before != push.Old && (before != "" || push.Old != nothing) {
			t.Errorf("%s is %.8s, and the ledger says that it went from %.8s to %.8s", name, before, push.Old, push.New)
		}
		at[name] = push.New
	}
	rows, err := tx.Query(ctx, "SELECT r.namespace, r.name, f.name, f.hash FROM repository_refs f JOIN repositories r ON r.id = f.repository")
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var namespace, name, ref, hash string
		err := r.Scan(&namespace, &name, &ref, &hash)
		if key := namespace + "/" + name + " " + ref; at[key] != hash {
			t.Errorf("%s is %.8s, and the ledger ends with %.8s", key, hash, at[key])
		}
		return struct{}{}, err
	})
	return err
}

// scanService looks at one main job: its three commits each went through one pipeline and one commit of the platform's,
// the first two through one confirmed apply, and the third alone was rolled back, once.
func (w *town) scanService(ctx context.Context, t *testing.T, tx *store.Tx, s service) error {
	stackRef, application := "stack:default/"+s.name+"-infra", "application:default/"+s.name
	for what, want := range map[string][]string{
		"runs of the golden path":    {"1", "SELECT COUNT(*) FROM runs WHERE kind = 'scaffold' AND id = $1", s.runs["golden path"]},
		"repositories":               {"1", "SELECT COUNT(*) FROM repositories WHERE namespace = 'crew' AND name = $1", s.name},
		"entities":                   {"6", "SELECT COUNT(*) FROM entities WHERE source LIKE 'location:%' AND ref || '-' LIKE $1", "%:default/" + s.name + "-%"},
		"pipelines":                  {"3", "SELECT COUNT(*) FROM runs WHERE kind = 'workflow' AND subject = $1", "component:default/" + s.name},
		"runs of the stack":          {"2", "SELECT COUNT(*) FROM runs WHERE kind = 'stack' AND subject = $1", stackRef},
		"commits of the platform":    {"3", "SELECT COUNT(*) FROM repository_platform_commits c JOIN repositories r ON r.id = c.repository WHERE r.namespace = 'crew' AND r.name = $1", s.name},
		"pushes":                     {"6", "SELECT COUNT(*) FROM ledger_entries WHERE type = 'repository.pushed' AND subject = $1", "repository:crew/" + s.name},
		"syncs that failed":          {"1", "SELECT COUNT(*) FROM runs WHERE kind = 'sync' AND state = 'failed' AND subject = $1", application},
		"failures that are told":     {"1", "SELECT COUNT(*) FROM ledger_entries WHERE type = 'application.sync-failed' AND subject = $1", application},
		"goings back that are told":  {"1", "SELECT COUNT(*) FROM ledger_entries WHERE type = 'application.rolled-back' AND subject = $1", application},
		"revisions gone back from":   {"1", "SELECT COUNT(*) FROM application_revisions WHERE state = 'rolled-back' AND application = $1", application},
		"revisions that failed":      {"0", "SELECT COUNT(*) FROM application_revisions WHERE state = 'failed' AND application = $1", application},
		"states with a second owner": {"0", "SELECT COUNT(*) FROM stack_states x JOIN runs r ON r.id = x.run WHERE x.stack = $1 AND r.subject <> x.stack", stackRef},
		"states of one serial":       {"0", "SELECT COUNT(*) FROM (SELECT serial FROM stack_states WHERE stack = $1 GROUP BY serial HAVING COUNT(*) > 1) y", stackRef},
		"lineages":                   {"1", "SELECT COUNT(DISTINCT lineage) FROM stack_states WHERE stack = $1", stackRef},
	} {
		n := 0
		if err := tx.QueryRow(ctx, want[1], want[2]).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if fmt.Sprint(n) != want[0] {
			t.Errorf("%s: %s: %d, want %s", s.name, what, n, want[0])
		}
	}
	why, err := texts(ctx, tx, "SELECT reason FROM runs WHERE kind = 'sync' AND state = 'failed' AND subject = $1", application)
	if err != nil {
		return err
	}
	for _, reason := range why {
		if !strings.HasPrefix(reason, s.wentBack()+"did not become healthy: Deployment "+s.name+": ") {
			t.Errorf("%s: a sync failed: %s", s.name, reason)
		}
	}
	if err := scanApplies(ctx, t, tx, s, stackRef); err != nil {
		return err
	}
	outputs, err := texts(ctx, tx, "SELECT outputs FROM stack_states WHERE stack = $1 ORDER BY id", stackRef)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, o := range outputs {
		var values map[string]struct{ Value any }
		if err := json.Unmarshal([]byte(o), &values); err != nil {
			return err
		}
		if id, ok := values["id"]; ok {
			ids[fmt.Sprint(id.Value)] = true
		}
	}
	if len(ids) != 1 {
		t.Errorf("%s: its infrastructure was made %d times: %v", s.name, len(ids), outputs)
	}
	return nil
}

// scanApplies: an apply is begun once for each time that its run was confirmed, by one review each.
func scanApplies(ctx context.Context, t *testing.T, tx *store.Tx, s service, stackRef string) error {
	runs, err := texts(ctx, tx, "SELECT id FROM runs WHERE kind = 'stack' AND subject = $1", stackRef)
	if err != nil {
		return err
	}
	for _, id := range runs {
		var confirmed, reviews, applies int
		err := tx.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM ledger_entries WHERE subject = $1 AND type = 'run.state-changed' AND data LIKE '%"to":"applying"%'),
 (SELECT COUNT(*) FROM run_reviews WHERE run = $1 AND verdict = 'confirm'),
 (SELECT COUNT(*) FROM run_steps WHERE run = $1 AND key LIKE 'apply%')`, id).Scan(&confirmed, &reviews, &applies)
		if err != nil {
			return err
		}
		if confirmed != reviews || confirmed != applies || confirmed == 0 {
			t.Errorf("%s: run %s was confirmed %d times and went to apply %d times, with %d applies", s.name, id, reviews, confirmed, applies)
		}
	}
	return nil
}

// scanWhole: there is no run but those that people know, and the syncs that the platform began.
func (w *town) scanWhole(ctx context.Context, t *testing.T, tx *store.Tx) error {
	var known []string
	for _, s := range w.built {
		for _, id := range s.runs {
			known = append(known, id)
		}
	}
	all, err := texts(ctx, tx, "SELECT id FROM runs WHERE kind <> 'sync'")
	for _, id := range all {
		if !slices.Contains(known, id) {
			t.Errorf("run %s was asked for by nobody", id)
		}
	}
	if len(all) != len(known) {
		t.Errorf("%d runs are known, and %d are there", len(known), len(all))
	}
	return err
}

// scanProcesses: beside the server there run its services, as many as are wanted, and nothing of a step once what it
// looks at by itself has been seen.
func (w *town) scanProcesses(t *testing.T, v *victim) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var wrong string
	err := eventually(ctx, func() (bool, error) {
		wrong = w.judgeProcesses(strays(t, v.data))
		return wrong == "", nil
	})
	if err != nil {
		t.Error(wrong)
	}
}

func (w *town) judgeProcesses(lines []string) (wrong string) {
	var apps, sandboxes, others []string
	for _, line := range lines {
		switch {
		case strings.HasSuffix(line, " /app"):
			apps = append(apps, line)
		case strings.HasSuffix(line, " roadbed-sandbox"): // one for each service, and one that stands ready for the next step
			sandboxes = append(sandboxes, line)
		default:
			others = append(others, line)
		}
	}
	switch {
	case len(others) > 0:
		return fmt.Sprintf("beside the services run %v", others)
	case len(apps) != len(w.built):
		return fmt.Sprintf("%d services run, want %d: %v", len(apps), len(w.built), apps)
	case len(sandboxes) > len(w.built)+2:
		return fmt.Sprintf("%d sandboxes are there, for %d services: %v", len(sandboxes), len(w.built), sandboxes)
	}
	return ""
}

// strays finds the processes that have to do with a data folder: in their command line, their working folder, or what
// is mounted for them.
func strays(t *testing.T, data string) []string {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, p := range folders {
		if p == fmt.Sprint("/proc/", os.Getpid()) {
			continue
		}
		line, _ := os.ReadFile(p + "/cmdline") // a process may end at any time
		mounts, _ := os.ReadFile(p + "/mountinfo")
		work, _ := os.Readlink(p + "/cwd")
		if len(line) > 0 && (bytes.Contains(line, []byte(data)) || bytes.Contains(mounts, []byte(data)) || strings.HasPrefix(work, data)) {
			left = append(left, strings.TrimPrefix(p, "/proc/")+" "+string(bytes.TrimSpace(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))))
		}
	}
	return left
}

// scanLeft looks for what a server that was asked to stop has not cleared away: workspaces and sandboxes of steps and
// services, and the groups in which they were bounded.
func scanLeft(t *testing.T, data string) {
	t.Helper()
	for _, pattern := range []string{"work/*/work/*", "sandboxes/run/*"} {
		left, err := filepath.Glob(filepath.Join(data, filepath.FromSlash(pattern)))
		if err != nil || len(left) > 0 {
			t.Errorf("left in the data folder: %v (%v)", left, err)
		}
	}
	sum := sha256.Sum256([]byte(filepath.Join(data, "sandboxes")))
	group := "roadbed-" + hex.EncodeToString(sum[:4]) + "-"
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), group) {
			t.Errorf("a group of processes is left: %s", path)
		}
		return nil // others come and go meanwhile
	})
	if err != nil {
		t.Error(err)
	}
}
