package worker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

// freshOf is a job of a folder with sources, whose command leaves something there.
func freshOf(script string) Job {
	j := sh(script)
	j.Sources = []Source{{Path: "source", Repository: "payments/api", Commit: "c0ffee"}}
	j.Files = []File{{Path: "source/given", Content: "given\n"}}
	j.Outputs = []Output{{Name: "made", Path: "source", Kind: OutputNew, Optional: true, MaxBytes: 1 << 20, MaxEntries: 10, Without: []string{"cache", "lock"}}}
	return j
}

// TestWhatACommandMadeIsKeptForAnother takes what is new or changed and nothing else, and puts it over the same sources.
func TestWhatACommandMadeIsKeptForAnother(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.archives["payments/api@c0ffee"] = tarOf(t,
		entry{name: "main.txt", content: "main\n"}, entry{name: "tool.sh", content: "echo tool\n"}, entry{name: "sub/", kind: tar.TypeDir}, entry{name: "sub/old.txt", content: "old\n"},
		entry{name: "link", link: "main.txt", kind: tar.TypeSymlink})
	for name, script := range map[string]string{
		"nothing":  "echo beside > beside; mkdir source/cache; echo x > source/cache/x; echo y > source/lock; rm source/main.txt",
		"fails":    "echo made > source/made; exit 3",
		"too many": "cd source; for i in 1 2 3 4 5 6 7 8 9 10 11; do echo $i > f$i; done",
		"too much": "head -c 2000000 /dev/zero > source/big",
		"some":     "cd source; echo changed >> sub/old.txt; chmod +x tool.sh; mkdir -p a/b; echo new > a/b/new; ln -s b/new a/short; ln -s /etc/passwd a/bad; ln -sf sub/old.txt link; touch -d 2001-01-01 a/b/new",
	} {
		b.hub.offer(strings.ReplaceAll(name, " ", "-"), freshOf(script))
	}
	for _, name := range []string{"nothing", "fails"} {
		if got, log := b.hub.result(t, name); len(got.Artifacts) != 0 || got.Outputs["made"] != "" || got.ExitCode != map[string]int{"fails": 3}[name] {
			t.Errorf("%s gave %+v, %q", name, got, log)
		}
	}
	for name, want := range map[string]string{"too-many": "below source is not kept: it has 11 entries, and at most 10 are", "too-much": "below source is not kept: it has 2000000 bytes, and at most 1048576 are"} {
		if got, log := b.hub.result(t, name); got.ExitCode != 0 || len(got.Artifacts) != 0 || !strings.Contains(got.Outputs["made"], want) || !strings.Contains(log, want) {
			t.Errorf("%s gave %+v, %q", name, got, log)
		}
	}
	got, log := b.hub.result(t, "some")
	if got.ExitCode != 0 || !strings.Contains(log, "a/bad is left out") {
		t.Fatalf("got %+v, %q", got, log)
	}
	tree := untar(t, b.hub.blobs[got.Artifacts["made"].Digest])
	if tree["sub/old.txt"] != "old\nchanged\n" || tree["a/b/new"] != "new\n" || tree["a/short"] != "-> b/new" || tree["link"] != "-> sub/old.txt" || tree["tool.sh"] != "echo tool\n" || len(tree) != 7 {
		t.Errorf("it is %q", tree)
	}
	next := freshOf("cd source; cat main.txt a/short link given; ./tool.sh; ls")
	next.Sources = append(next.Sources, Source{Path: "source", Blob: got.Artifacts["made"].Digest})
	next.Outputs = nil
	b.hub.offer("next", next)
	if got, log := b.hub.result(t, "next"); got.ExitCode != 0 || log != "main\nnew\nold\nchanged\ngiven\ntool\na\ngiven\nlink\nmain.txt\nsub\ntool.sh\n" {
		t.Errorf("the next has %+v, %q", got, log)
	}
}

// TestWhatCanNotBeKeptFailsNothing: a folder that may not be read, by whoever owns it.
func TestWhatCanNotBeKeptFailsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.MkdirAll(filepath.Join(dir, "source"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "source", "made"), []byte("made\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := ""
	c := collector{root: root, note: func(format string, args ...any) { said = fmt.Sprintf(format, args...) }}
	c.put = func(_ context.Context, r io.Reader) (string, int64, error) {
		n, err := io.Copy(io.Discard, r)
		return "digest", n, err
	}
	o := Output{Name: "made", Path: "source", Kind: OutputNew, Optional: true}
	take := func() (Result, error) {
		result := Result{Outputs: map[string]string{}, Artifacts: map[string]Artifact{}}
		err := c.fresh(t.Context(), o, "source", 1<<20, &result)
		return result, err
	}
	if got, err := take(); err != nil || got.Artifacts["made"].Digest != "digest" {
		t.Fatalf("it is %+v, %v", got, err)
	}
	hub := errors.New("the hub is away")
	put := c.put
	c.put = func(context.Context, io.Reader) (string, int64, error) { return "", 0, hub }
	if got, err := take(); !errors.Is(err, hub) || len(got.Artifacts) > 0 {
		t.Errorf("without a hub it is %+v, %v", got, err)
	}
	c.put = func(ctx context.Context, r io.Reader) (string, int64, error) { // the file goes while it is taken
		if err := os.Remove(filepath.Join(dir, "source", "made")); err != nil {
			return "", 0, err
		}
		return put(ctx, r)
	}
	if err := os.WriteFile(filepath.Join(dir, "source", "big"), make([]byte, 64), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := take(); err != nil || len(got.Artifacts) > 0 || !strings.Contains(got.Outputs["made"], "below source is not kept: ") || said != got.Outputs["made"] {
		t.Errorf("of a file that is gone it is %+v, %v, %q", got, err, said)
	}
}

// TestAnArchiveGoesOverWhatIsOfAnotherType, as what a plan has made goes over the sources.
func TestAnArchiveGoesOverWhatIsOfAnotherType(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, archive := range [][]byte{
		tarOf(t, entry{name: "to-file/", kind: tar.TypeDir}, entry{name: "to-file/old", content: "old"}, entry{name: "to-folder", content: "old"},
			entry{name: "to-link/", kind: tar.TypeDir}, entry{name: "to-link/old", content: "old"}, entry{name: "link", link: "to-link", kind: tar.TypeSymlink}),
		tarOf(t, entry{name: "to-file", content: "new"}, entry{name: "to-folder/", kind: tar.TypeDir}, entry{name: "to-folder/new", content: "new"},
			entry{name: "to-link", link: "to-folder", kind: tar.TypeSymlink}, entry{name: "link/", kind: tar.TypeDir}, entry{name: "link/new", content: "new"}),
	} {
		left := defaultBounds()
		if err := unpack(root, "source", bytes.NewReader(archive), &left); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"to-file", "to-folder/new", "to-link/new", "link/new"} {
		if data, err := os.ReadFile(filepath.Join(dir, "source", name)); err != nil || string(data) != "new" {
			t.Errorf("%s is %q, %v", name, data, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(dir, "source", "to-link")); err != nil || to != "to-folder" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "source", "link")); err != nil || !info.IsDir() {
		t.Errorf("the folder in place of a link is %v, %v", info, err)
	}
}

// TestWhatChangesThingsHasTimeToSaveWhenItIsCanceled, and other commands have a moment.
func TestWhatChangesThingsHasTimeToSaveWhenItIsCanceled(t *testing.T) {
	t.Parallel()
	w := &Worker{}
	if got := w.grace(errCanceled, 5*time.Minute); got != 5*time.Minute {
		t.Errorf("it has %s", got)
	}
	if got := w.grace(errCanceled, 0); got != cancelGrace {
		t.Errorf("another has %s", got)
	}
	if got := w.grace(errors.New("lost"), 5*time.Minute); got != 0 {
		t.Errorf("one that is lost has %s", got)
	}
}

// TestACommandThatChangesThingsSavesWhatItDid at its limits: what it says past its log is lost, and out of time it is asked.
func TestACommandThatChangesThingsSavesWhatItDid(t *testing.T) {
	t.Parallel()
	b := start(t, func(o *Options) { o.Saving = 2 * time.Minute })
	job := func(script string, l execute.Limits) Job {
		j := sh(script)
		j.Changes, j.Limits = true, l
		j.Outputs = []Output{{Name: "saved", Path: "saved", Kind: OutputText, Optional: true}}
		return j
	}
	const chatty = "i=0; while [ $i -lt 500 ]; do echo some more words; i=$((i+1)); done; printf all > saved"
	b.hub.offer("output", job(chatty, execute.Limits{Output: 1000}))
	b.hub.offer("time", job("trap 'printf part > saved; exit 4' TERM; while :; do sleep 0.05; done", execute.Limits{Time: 300 * time.Millisecond}))
	b.hub.offer("done", job("trap 'printf all > saved; exit 0' TERM; while :; do sleep 0.05; done", execute.Limits{Time: 300 * time.Millisecond}))
	plain := job("yes", execute.Limits{Output: 1000})
	plain.Changes = false
	b.hub.offer("plain", plain)
	if got, log := b.hub.result(t, "output"); got.ExitCode != 0 || got.Reason != "" || got.Outputs["saved"] != "all" || !strings.Contains(log, "the log ends here: it has its 1000 bytes. The command goes on") {
		t.Errorf("past its output it gave %+v, %q", got, log)
	}
	if got, log := b.hub.result(t, "time"); got.ExitCode != 4 || got.Reason != execute.ReasonTime || got.Outputs["saved"] != "part" || !strings.Contains(log, "ran longer than its 300ms\n") {
		t.Errorf("out of time it gave %+v, %q", got, log)
	}
	if got, log := b.hub.result(t, "done"); got.ExitCode != 0 || got.Reason != "" || got.Outputs["saved"] != "all" {
		t.Errorf("out of time, and done, it gave %+v, %q", got, log)
	}
	if got, _ := b.hub.result(t, "plain"); got.Reason != execute.ReasonOutput || got.ExitCode == 0 {
		t.Errorf("what changes nothing gave %+v", got)
	}
}
