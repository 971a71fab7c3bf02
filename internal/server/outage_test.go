package server

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// TestADatabaseThatGoesAwayAtAnyMomentLosesNothing is the same life as that of a server which is killed, save that the
// server lives and PostgreSQL is ended under it, for less than a step waits for it: no run fails for that, nothing is done
// twice, the server says that it can't serve, and then that it can.
func TestADatabaseThatGoesAwayAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	database := storetest.Own(t)
	first := number(t, "ROADBED_CRASH_SEED", int(time.Now().Unix()%1_000_000))
	crash(t, buildLight(t), database.URL, first, number(t, "ROADBED_CRASH_SEEDS", 6), func(v *victim, t *testing.T) {
		v.outage(t, database, func() {})
	})
}

// outage takes the database away, until the server has noticed and meanwhile has been done.
func (v *victim) outage(t *testing.T, database *storetest.Server, meanwhile func()) {
	t.Helper()
	database.Stop(t)
	v.awaitReadiness(t, http.StatusServiceUnavailable)
	meanwhile()
	database.Start(t)
	v.awaitReady(t)
	v.lives(t)
}

// lives fails the test when the server has ended.
func (v *victim) lives(t *testing.T) {
	t.Helper()
	select {
	case <-v.ended:
		t.Fatal("the server has ended")
	default:
	}
}

// TestStepsOutliveAnOutageOfTheDatabase ends PostgreSQL while a command runs, which writes and ends meanwhile, and then
// while a platform action is in the middle of a transaction.
func TestStepsOutliveAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	database := storetest.Own(t)
	v := newVictim(t, buildLight(t), database.URL)
	town := v.found(t)
	submit := func(script string) string {
		t.Helper()
		r, err := client.Post[client.RunDetail](t.Context(), town.admin, "/workflows/runs", map[string]string{"document": writes(script, "")})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	ends := func(id, state, log string) {
		t.Helper()
		r := until(t, town.admin, id, ended)
		if r.State != state || len(r.Steps) != 1 || r.Steps[0].Attempt != 1 {
			t.Errorf("run %s is %s: %s; %s", r.Title, r.State, r.Reason, steps(r))
		}
		_, got, _ := strings.Cut(logOf(t, town.admin, id, r.Steps[0].Key), "is not used\n") // the image
		if got != log {
			t.Errorf("the log of run %s is %q, want %q", r.Title, got, log)
		}
	}

	goesOn := submit("echo one; sleep 33.1 || true; echo two; sleep 33.2 || true; echo three")
	sleepIn(t, goesOn, "33.1")
	v.outage(t, database, func() {
		wakeUp(t, sleepIn(t, goesOn, "33.1"))
		sleepIn(t, goesOn, "33.2") // with "two" written
	})
	wakeUp(t, sleepIn(t, goesOn, "33.2"))
	ends(goesOn, "succeeded", "one\ntwo\nthree\n")

	endsMeanwhile := submit("echo one; sleep 33.3 || true; echo two; exit 3")
	pid := sleepIn(t, endsMeanwhile, "33.3")
	v.outage(t, database, func() {
		wakeUp(t, pid)
		for len(sleepers(t, endsMeanwhile)) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
	ends(endsMeanwhile, "failed", "one\ntwo\n")

	// The golden path makes a repository, in a transaction that waits for whoever holds the table.
	waiting, _ := storetest.Hold(t, database.URL, "repositories", storetest.FromWriting)
	made, err := client.Post[client.RunDetail](t.Context(), town.alice, "/templates/default/light-service/runs", map[string]any{"values": map[string]any{
		"name": "shop", "owner": "group:default/" + townTeam, "greeting": "first", "replicas": 1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	waiting()
	v.outage(t, database, func() {})
	r := until(t, town.admin, made.ID, ended)
	for _, s := range r.Steps {
		if s.Attempt != 1 || s.State == "failed" {
			t.Errorf("a step was done again: %s", steps(r))
		}
	}
	if r.State != "finished" {
		t.Errorf("the golden path is %s: %s; %s", r.State, r.Reason, steps(r))
	}
	v.stop(t)
	scanLeft(t, v.data)
}

// sleepers gives the host's process ids of what sleeps in a run, by how long.
func sleepers(t *testing.T, run string) map[string]int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, file := range all {
		env, err := os.ReadFile(file) // a process may end at any time
		if err != nil || !strings.Contains(string(env), "ROADBED_RUN="+run) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if args := strings.Split(string(line), "\x00"); len(args) > 1 && args[0] == "sleep" {
			if found[args[1]], err = strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// sleepIn waits until a run sleeps for so long.
func sleepIn(t *testing.T, run, long string) (pid int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		pid = sleepers(t, run)[long]
		return pid != 0, nil
	})
	if err != nil {
		t.Fatalf("run %s does not come to sleep %s: %v", run, long, err)
	}
	return pid
}

// wakeUp ends a sleep by a signal of which shells say nothing.
func wakeUp(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGPIPE); err != nil {
		t.Fatal(err)
	}
}

func logOf(t *testing.T, api *client.Client, run, step string) string {
	t.Helper()
	var out []byte
	if err := api.Do(t.Context(), "GET", "/runs/"+run+"/steps/"+step+"/log", nil, nil, &out); err != nil {
		t.Fatal(err)
	}
	return string(out)
}
