package worker

import (
	"archive/tar"
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
