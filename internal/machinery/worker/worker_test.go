package worker

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestCommandFromSourcesToOutputs(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.archives["payments/api@c0ffee"] = tarOf(t,
		entry{name: "pax_global_header", kind: tar.TypeXGlobalHeader},
		entry{name: "main.txt", content: "main\n"}, entry{name: "bin/", kind: tar.TypeDir}, entry{name: "bin/go.sh", content: "#!/bin/sh\ncat main.txt extra/note\n", mode: 0o755},
		entry{name: "link", link: "main.txt", kind: tar.TypeSymlink})
	j := sh(`set -e
		test "$(cat link)" = main; test -x bin/go.sh; test "$CI" = true; test "$ROADBED_RUN" = run_1
		mkdir -p out/sub; ./bin/go.sh > out/sub/all; ln -s sub/all out/short; ln -s /etc/passwd out/bad; mkfifo out/pipe
		printf 'the text' > text; printf file > file; echo hello from the step`)
	j.Sources = []Source{{Repository: "payments/api", Commit: "c0ffee"}}
	j.Files = []File{{Path: "extra/note", Content: "note\n"}, {Path: "/work/run.sh", Mode: 0o755, Content: "#!/bin/sh\n"}}
	j.Outputs = []Output{{Name: "text", Path: "text", Kind: OutputText}, {Name: "file", Path: "/work/file", Kind: OutputFile},
		{Name: "tree", Path: "out", Kind: OutputTree}, {Name: "any-tree", Path: "out", Kind: OutputAny}, {Name: "any-file", Path: "file", Kind: OutputAny}, {Name: "maybe", Path: "missing", Kind: OutputFile, Optional: true}}
	j.Image = "golang:1.26"
	b.hub.offer("a", j)
	b.hub.offer("b", j)
	result, log := b.hub.result(t, "a")
	if result.ExitCode != 0 || result.Outputs["text"] != "the text" || len(result.Artifacts) != 4 {
		t.Fatalf("got %+v, %s", result, log)
	}
	for _, words := range []string{"hello from the step\n", "image golang:1.26 is not used", "out/bad is left out", "out/pipe is left out"} {
		if !strings.Contains(log, words) {
			t.Errorf("the log has no %q: %s", words, log)
		}
	}
	if got := string(b.hub.blobs[result.Artifacts["file"].Digest]); got != "file" {
		t.Errorf("the file is %q", got)
	}
	tree := untar(t, b.hub.blobs[result.Artifacts["tree"].Digest])
	if tree["sub/all"] != "main\nnote\n" || tree["short"] != "-> sub/all" || len(tree) != 3 {
		t.Errorf("the tree is %q", tree)
	}
	if result.Artifacts["any-tree"] != result.Artifacts["tree"] || result.Artifacts["any-file"] != result.Artifacts["file"] {
		t.Errorf("outputs of either kind differ: %+v", result.Artifacts)
	}
	again, _ := b.hub.result(t, "b")
	if again.Artifacts["tree"] != result.Artifacts["tree"] {
		t.Errorf("equal trees have different digests: %+v, %+v", again, result)
	}
	b.stop()
	if left, _ := os.ReadDir(filepath.Join(b.opts.Dir, "work")); len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
	// A tree is a source of the next step.
	b.run(t)
	next := sh("cat given/sub/all given/short")
	next.Sources = []Source{{Path: "given", Blob: result.Artifacts["tree"].Digest}}
	b.hub.offer("c", next)
	if result, log := b.hub.result(t, "c"); result.ExitCode != 0 || log != "main\nnote\nmain\nnote\n" {
		t.Errorf("got %+v, %q", result, log)
	}
}

func untar(t *testing.T, b []byte) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(archive)
		all[h.Name] = string(content)
		if h.Linkname != "" {
			all[h.Name] = "-> " + h.Linkname
		}
	}
}

func TestSecretsReachTheStepButNotItsLog(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh(`echo "$PASSWORD"; printf %s "$PASSWORD" | base64; printf 'user:%s' "$PASSWORD" | base64
		printf hunter2; sleep 0.05; printf 'hunter2\n'; echo $ROADBED_TOKEN; echo also-this-one; test "$PASSWORD" = hunter2hunter2`)
	j.SecretEnv = map[string]string{"PASSWORD": "default/password"}
	j.Masks = []string{"also-this-one"}
	b.hub.offer("a", j)
	result, log := b.hub.result(t, "a")
	if result.ExitCode != 0 || strings.Contains(log, "hunter2") || strings.Contains(log, "also-this-one") {
		t.Errorf("got %+v, %q", result, log)
	}
	if !strings.HasPrefix(log, "***\n***") || !strings.HasSuffix(log, "***\n\n***\n") {
		t.Errorf("the log is %q", log)
	}
	j.SecretEnv = map[string]string{"PASSWORD": "default/other"}
	b.hub.offer("b", j)
	if result, log := b.hub.result(t, "b"); result.Reason != ReasonSetup || !strings.Contains(log, "default/other") {
		t.Errorf("got %+v, %q", result, log)
	}
}

// What a step asks for and does not get is in its log.
func TestAStepIsToldOfWhatThePoolHoldsBack(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Most = execute.Limits{Memory: 1 << 30, Time: time.Hour} })
	j := sh("echo done")
	j.Limits = execute.Limits{Memory: 2 << 30, Time: 90 * time.Minute, Processes: 100}
	b.hub.offer("a", j)
	const want = "roadbed: this step asks for 2048 MiB of memory; this pool gives it 1024\nroadbed: this step asks for 1h30m0s of time; this pool gives it 1h0m0s\ndone\n"
	if _, log := b.hub.result(t, "a"); log != want {
		t.Errorf("the log is %q", log)
	}
	j.Limits = execute.Limits{Memory: 1 << 30, Time: time.Hour}
	b.hub.offer("b", j)
	if _, log := b.hub.result(t, "b"); log != "done\n" {
		t.Errorf("the log is %q", log)
	}
}

func TestDoorLeadsToThePlatform(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "door")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "door")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s with %s", r.URL.Path, r.Header.Get("Authorization"))
	})}
	go server.Serve(l) // closed by the test
	t.Cleanup(func() { server.Close() })
	b := start(t, func(o *Options) { o.Door = socket })
	j := sh(`curl -s -H "Authorization: Bearer $ROADBED_TOKEN" $ROADBED_URL/api/v1/whoami`)
	j.Door = true
	b.hub.offer("a", j)
	if result, log := b.hub.result(t, "a"); result.ExitCode != 0 || log != "/api/v1/whoami with Bearer ***" {
		t.Errorf("got %+v, %q", result, log)
	}
	b.hub.offer("b", sh(`curl -s -m 5 http://127.0.0.1:7070/ && echo open; test -z "$ROADBED_TOKEN$ROADBED_URL"`))
	if result, log := b.hub.result(t, "b"); result.ExitCode != 0 || strings.Contains(log, "open") {
		t.Errorf("a step without the door got %+v, %q", result, log)
	}
}

func TestJobsThatCannotBePrepared(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	for id, c := range map[string]struct {
		change func(*Job)
		words  string
	}{
		"network": {func(j *Job) { j.Network = true }, "grants its steps no network"},
		"door":    {func(j *Job) { j.Door = true }, "no way to the platform"},
		"tool":    {func(j *Job) { j.Tools = []string{"cobol"} }, "no tool cobol"},
		"cache":   {func(j *Job) { j.Caches = []Cache{{Name: "../up", Path: "/cache"}} }, "cache name"},
		"target":  {func(j *Job) { j.Caches = []Cache{{Name: "up", Path: "/etc"}} }, "part of the system"},
		"source":  {func(j *Job) { j.Sources = []Source{{Repository: "a/b", Commit: "1"}} }, "has no commit"},
		"path":    {func(j *Job) { j.Files = []File{{Path: "../../x"}} }, "not below /work"},
		"blob":    {func(j *Job) { j.Files = []File{{Path: "x", Blob: "sha256:0"}} }, "blob"},
		"kind":    {func(j *Job) { j.Outputs = []Output{{Name: "o", Path: ".", Kind: "odd"}} }, "none of text"},
		"missing": {func(j *Job) { j.Outputs = []Output{{Name: "o", Path: "nothing", Kind: OutputText}} }, "did not write nothing"},
	} {
		j := sh("true")
		c.change(&j)
		b.hub.offer(id, j)
		result, log := b.hub.result(t, id)
		if result.ExitCode == 0 || result.Reason == "" || !strings.Contains(log, c.words) || !strings.Contains(result.Message, c.words) {
			t.Errorf("%s: %+v, %q", id, result, log)
		}
	}
}

func TestOutputsOfAHostileStep(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	secret := filepath.Join(b.dir, "secret")
	if err := os.WriteFile(secret, []byte("of the server"), 0o600); err != nil {
		t.Fatal(err)
	}
	for id, script := range map[string]string{
		"absolute": "ln -s " + secret + " out",
		"relative": "ln -s ../../../secret out",
		"folder":   "ln -s / d; ln -s d" + secret + " out",
		"pipe":     "mkfifo out",
		"socket":   "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"out\")'",
		"large":    "truncate -s 3000000 out",
	} {
		for _, kind := range []string{OutputText, OutputFile, OutputTree} {
			j := sh(script)
			j.Outputs = []Output{{Name: "out", Path: "out", Kind: kind, MaxBytes: 1 << 20}}
			b.hub.offer(id+kind, j)
			result, log := b.hub.result(t, id+kind)
			if result.ExitCode == 0 || len(result.Outputs)+len(result.Artifacts) > 0 || strings.Contains(log, "of the server") {
				t.Errorf("%s as %s: %+v, %q", id, kind, result, log)
			}
		}
	}
	j := sh("mkdir t; head -c 3000000 /dev/zero > t/f")
	j.Outputs = []Output{{Name: "t", Path: "t", Kind: OutputTree, MaxBytes: 1 << 20}}
	b.hub.offer("tree", j)
	if result, _ := b.hub.result(t, "tree"); result.ExitCode == 0 || len(result.Artifacts) > 0 {
		t.Errorf("a large tree gave %+v", result)
	}
}

// TestAnOutputThatCannotBeTakenIsToldOfAStepThatFails, too, which keeps its own reason. What it did not write is not missed.
func TestAnOutputThatCannotBeTakenIsToldOfAStepThatFails(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh("truncate -s 3000000 large; printf small > small; exit 7")
	j.Outputs = []Output{
		{Name: "big", Path: "large", Kind: OutputFile, MaxBytes: 1 << 20, Optional: true}, {Name: "none", Path: "none", Kind: OutputFile},
		{Name: "small", Path: "small", Kind: OutputText},
	}
	b.hub.offer("fails", j)
	result, log := b.hub.result(t, "fails")
	if result.ExitCode != 7 || result.Reason != "" || result.Message != "" || len(result.Artifacts) > 0 || result.Outputs["small"] != "small" {
		t.Errorf("it gave %+v", result)
	}
	if strings.Count(log, "output big: large has 3000000 bytes; 1048576 are allowed") != 1 || strings.Contains(log, "none") {
		t.Errorf("its log is %q", log)
	}
}

func TestCancelEndsTheStepAndIsReported(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*hub){
		"at once":        func(h *hub) { h.silent = true },
		"by a heartbeat": func(h *hub) { h.deaf = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, nil)
			tell(b.hub)
			b.hub.ttl = 300 * time.Millisecond
			b.hub.offer("a", sh(`trap 'echo unlocked; exit 4' TERM; echo ready; while :; do sleep 0.05; done`))
			b.hub.until(t, "the step runs", func() bool { return strings.Contains(string(b.hub.logs["a"]), "ready") })
			b.hub.change(func() { b.hub.canceled["a"] = true })
			result, log := b.hub.result(t, "a")
			if result.ExitCode != 4 || result.Reason != execute.ReasonCanceled || !strings.Contains(log, "unlocked") {
				t.Errorf("got %+v, %q", result, log)
			}
		})
	}
}

func TestLostLeaseEndsTheStepUnreported(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.ttl = 300 * time.Millisecond
	b.hub.offer("a", sh("echo ready; sleep 600"))
	b.hub.until(t, "the step runs", func() bool { return strings.Contains(string(b.hub.logs["a"]), "ready") })
	b.hub.change(func() { b.hub.lost["a"] = true })
	b.stop() // waits for the step's end; were it not stopped, the grace would be too short for its ten minutes
	if r, ok := b.hub.results["a"]; ok {
		t.Errorf("a lost step reported %+v", r)
	}
}

func TestHubTroubleLosesNothing(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.offer("a", sh("for i in $(seq 2000); do echo line $i; done"))
	b.hub.change(func() { b.hub.trouble = 5 })
	result, log := b.hub.result(t, "a")
	if lines := strings.Split(strings.TrimSpace(log), "\n"); result.ExitCode != 0 || len(lines) != 2000 || lines[1999] != "line 2000" {
		t.Errorf("got %+v and %d lines", result, len(lines))
	}
}

func TestOutputsWaitForAHubThatIsAway(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.puts = 3
	j := sh("mkdir out; echo kept > out/file; mkfifo out/pipe")
	j.Outputs = []Output{{Name: "out", Path: "out", Kind: OutputTree}}
	b.hub.offer("a", j)
	result, log := b.hub.result(t, "a")
	if tree := untar(t, b.hub.blobs[result.Artifacts["out"].Digest]); result.ExitCode != 0 || tree["file"] != "kept\n" {
		t.Errorf("got %+v with %q", result, tree)
	}
	if n := strings.Count(log, "out/pipe is left out"); n != 1 {
		t.Errorf("it is said %d times what is left out:\n%s", n, log)
	}
}

func TestEndingWorkerGivesStepsBack(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.offer("short", sh("echo ready; sleep 0.3; echo done"))
	b.hub.offer("long", sh("trap '' TERM; echo ready; while :; do sleep 1; done"))
	b.hub.until(t, "both run", func() bool {
		return strings.Contains(string(b.hub.logs["short"]), "ready") && strings.Contains(string(b.hub.logs["long"]), "ready")
	})
	b.stop()
	if result, log := b.hub.result(t, "short"); result.ExitCode != 0 || log != "ready\ndone\n" {
		t.Errorf("the short step gave %+v, %q", result, log)
	}
	if r, ok := b.hub.results["long"]; ok {
		t.Errorf("the long step reported %+v", r)
	}
}

// Nobody takes up a step that was on its last attempt: it is asked to end, saves what it has, and is reported.
func TestAnEndingWorkerLetsWhatNobodyRepeatsSaveAndTell(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Grace = time.Minute })
	j := sh(`trap 'echo saved > state; echo saving; exit 3' TERM; echo ready; while :; do sleep 0.05; done`)
	j.Outputs = []Output{{Name: "state", Path: "state", Kind: OutputText}}
	b.hub.waiting <- Lease{ID: "last", Step: "step_last", Run: "run_1", Attempt: 1, Job: j, Expires: time.Now().Add(time.Minute), Space: "default", Last: true}
	b.hub.until(t, "it runs", func() bool { return strings.Contains(string(b.hub.logs["last"]), "ready") })
	b.stop()
	result, ok := b.hub.results["last"]
	if !ok || result.ExitCode != 3 || result.Outputs["state"] != "saved" && result.Outputs["state"] != "saved\n" || !strings.Contains(result.Message, "was stopped while it ran this step") {
		t.Errorf("got %+v, reported %t", result, ok)
	}
}

// A full disk takes no logs: the step ends, and says so, however much it writes.
func TestALogThatCantBeKeptFailsTheStep(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Patience = 50 * time.Millisecond })
	b.hub.noLogs = true
	b.hub.offer("a", sh("head -c 5000000 /dev/zero | tr '\\0' x; echo $PASSWORD"))
	b.hub.offer("canceled", sh("while :; do head -c 100000 /dev/zero; sleep 0.01; done"))
	b.hub.change(func() { b.hub.canceled["canceled"] = true })
	if result, _ := b.hub.result(t, "a"); result.ExitCode == 0 || !strings.Contains(result.Message, "no space left on device") {
		t.Errorf("got %+v", result)
	}
	if result, _ := b.hub.result(t, "canceled"); result.ExitCode == 0 {
		t.Errorf("got %+v", result)
	}
}

func TestAResultThatCantBeKeptIsToldInFewWords(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.change(func() { b.hub.refused = 1 })
	b.hub.offer("a", sh("exit 0"))
	if result, _ := b.hub.result(t, "a"); result.ExitCode != ExitSetup || !strings.Contains(result.Message, "can't be kept: it is too large") {
		t.Errorf("got %+v", result)
	}
}

// What a platform action needs may be away for a moment: it is done again, and fails only when that lasts.
func TestPlatformActionsWaitForWhatIsAway(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	b := start(t, func(o *Options) {
		o.Patience = 300 * time.Millisecond
		o.Handlers = map[string]Handler{
			"moment": func(context.Context, Lease, io.Writer) (Result, error) {
				if asked.Add(1) < 3 {
					return Result{}, fault.Errorf(fault.Unavailable, "the database is being restarted")
				}
				return Result{}, nil
			},
			"lasting": func(context.Context, Lease, io.Writer) (Result, error) {
				return Result{}, fault.Errorf(fault.Unavailable, "the disk is full")
			},
		}
	})
	for _, action := range []string{"moment", "lasting"} {
		b.hub.offer(action, Job{Kind: KindPlatform, Action: action})
	}
	if r, _ := b.hub.result(t, "moment"); r.ExitCode != 0 || asked.Load() != 3 {
		t.Errorf("moment: %+v after %d tries", r, asked.Load())
	}
	if r, _ := b.hub.result(t, "lasting"); r.ExitCode != 1 || !strings.Contains(r.Message, "the disk is full") {
		t.Errorf("lasting: %+v", r)
	}
}

func TestPlatformActions(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) {
		o.Handlers = map[string]Handler{
			"greet": func(_ context.Context, l Lease, log io.Writer) (Result, error) {
				fmt.Fprintf(log, "greeting with hunter2hunter2 %s\n", l.Job.Input)
				return Result{Data: []byte(`{"greeted":true}`)}, nil
			},
			"refuse": func(context.Context, Lease, io.Writer) (Result, error) {
				return Result{}, fault.At("it is wrong", fault.Detail{File: "a.yaml", Line: 3, Message: "no such field"})
			},
			"break": func(context.Context, Lease, io.Writer) (Result, error) {
				return Result{}, errors.New("path of a secret file")
			},
			"panic": func(context.Context, Lease, io.Writer) (Result, error) { panic("defect") },
			"wait": func(ctx context.Context, _ Lease, _ io.Writer) (Result, error) {
				<-ctx.Done()
				return Result{ExitCode: 1}, nil
			},
		}
	})
	b.hub.ttl = 300 * time.Millisecond
	for _, action := range []string{"greet", "refuse", "break", "panic", "wait", "unknown"} {
		b.hub.offer(action, Job{Kind: KindPlatform, Action: action, Input: []byte(`{"a":1}`)})
	}
	b.hub.change(func() { b.hub.canceled["wait"] = true })
	if r, log := b.hub.result(t, "greet"); r.ExitCode != 0 || string(r.Data) != `{"greeted":true}` || log != "greeting with *** {\"a\":1}\n" {
		t.Errorf("greet: %+v, %q", r, log)
	}
	if r, _ := b.hub.result(t, "refuse"); r.ExitCode != 1 || !strings.Contains(r.Message, "a.yaml:3: no such field") {
		t.Errorf("refuse: %+v", r)
	}
	if r, log := b.hub.result(t, "break"); r.ExitCode != 1 || strings.Contains(r.Message+log, "secret file") {
		t.Errorf("break: %+v", r)
	}
	if r, _ := b.hub.result(t, "panic"); r.ExitCode == 0 || r.Reason != ReasonSetup {
		t.Errorf("panic: %+v", r)
	}
	if r, _ := b.hub.result(t, "wait"); r.Reason != execute.ReasonCanceled {
		t.Errorf("wait: %+v", r)
	}
	if r, _ := b.hub.result(t, "unknown"); r.Reason != ReasonSetup {
		t.Errorf("unknown: %+v", r)
	}
}

func TestLogResumesWhereItWas(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.logs["a"] = []byte("before\n")
	b.hub.waiting <- Lease{ID: "a", Step: "step_a", Attempt: 1, Job: sh("echo after"), Expires: time.Now().Add(time.Minute), LogOffset: 7}
	if _, log := b.hub.result(t, "a"); log != "before\nafter\n" {
		t.Errorf("the log is %q", log)
	}
}

func TestCachesAreKeptPerSpaceAndPruned(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	j := sh("cat /cache/kept 2>/dev/null || echo new; echo old > /cache/kept")
	j.Caches = []Cache{{Name: "things", Path: "/cache"}}
	for id, want := range map[string]string{"default": "new\n", "other": "new\n"} {
		b.hub.waiting <- Lease{ID: id, Step: id, Job: j, Expires: time.Now().Add(time.Minute), Space: id}
		if _, log := b.hub.result(t, id); log != want {
			t.Errorf("the first step of %s saw %q", id, log)
		}
	}
	b.hub.offer("again", j)
	if _, log := b.hub.result(t, "again"); log != "old\n" {
		t.Errorf("the second step of default saw %q", log)
	}
	j.Caches = []Cache{{Name: "things", Path: "/cache", Scope: "crew/shop refs/heads/theirs"}}
	b.hub.offer("beside", j)
	if _, log := b.hub.result(t, "beside"); log != "new\n" {
		t.Errorf("a step of another scope saw %q", log)
	}
	b.stop()
	w := New(b.opts)
	w.prune(4) // each cache holds four bytes
	left, _ := filepath.Glob(filepath.Join(b.opts.Dir, "caches", "*", "things", "kept"))
	if len(left) != 1 {
		t.Errorf("after pruning there are %v", left)
	}
}

// Caches that hold too much go while the worker runs, the least lately used first, and none that is in use.
func TestCachesArePrunedWhileTheWorkerRuns(t *testing.T) {
	t.Parallel()
	var hours atomic.Int64
	b := start(t, func(o *Options) {
		o.CacheBytes, o.Now = 1000, func() time.Time { return time.Now().Add(time.Duration(hours.Load()) * time.Hour) }
	})
	j := sh("head -c 900 /dev/zero > /cache/kept")
	for _, id := range []string{"first", "second"} {
		j.Caches = []Cache{{Name: "things", Path: "/cache", Scope: id}}
		b.hub.offer(id, j)
		if result, log := b.hub.result(t, id); result.ExitCode != 0 {
			t.Fatalf("%+v %s", result, log)
		}
		hours.Add(1)
	}
	j = sh("cat /cache/kept | wc -c")
	j.Caches = []Cache{{Name: "things", Path: "/cache", Scope: "second"}}
	b.hub.offer("third", j)
	if _, log := b.hub.result(t, "third"); strings.TrimSpace(log) != "900" {
		t.Errorf("the cache used last holds %s", log)
	}
	b.stop()
	if left, _ := filepath.Glob(filepath.Join(b.opts.Dir, "caches", "*", "*", "kept")); len(left) != 1 {
		t.Errorf("there are the caches %v", left)
	}
}

func TestANewCacheBeginsWithItsSeed(t *testing.T) {
	t.Parallel()
	seed := t.TempDir()
	if err := os.MkdirAll(filepath.Join(seed, "00"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(seed, "00", "kept")
	if err := os.WriteFile(kept, []byte("seed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, func(o *Options) {
		o.Tools = map[string]Tool{"maker": {Seeds: []Seed{{Cache: "things", At: "build", Dir: seed}}}}
	})
	j := sh("cat /cache/build/00/kept; echo mine > /cache/build/00/kept; echo new > /cache/build/00/new")
	j.Tools, j.Caches = []string{"maker"}, []Cache{{Name: "things", Path: "/cache"}}
	for _, step := range []struct{ id, space, want string }{
		{"first", "default", "seed\n"}, {"second", "default", "mine\n"}, {"third", "other", "seed\n"},
	} {
		b.hub.waiting <- Lease{ID: step.id, Step: step.id, Job: j, Expires: time.Now().Add(time.Minute), Space: step.space}
		if result, log := b.hub.result(t, step.id); log != step.want || result.ExitCode != 0 {
			t.Errorf("step %s saw %q: %+v", step.id, log, result)
		}
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "seed\n" {
		t.Errorf("the seed itself became %q, %v", text, err)
	}
}

func TestOnlyOneWorkerUsesAFolder(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.offer("a", sh("true"))
	b.hub.result(t, "a")
	if err := New(b.opts).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another worker") {
		t.Errorf("got %v", err)
	}
}

func TestLeftWorkspacesAreRemoved(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) {
		if err := os.MkdirAll(filepath.Join(o.Dir, "work", "step_old-1", "sub"), 0o555); err != nil {
			t.Fatal(err)
		}
	})
	b.hub.offer("a", sh("true"))
	b.hub.result(t, "a")
	if _, err := os.Stat(filepath.Join(b.opts.Dir, "work", "step_old-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an old workspace is still there: %v", err)
	}
}
