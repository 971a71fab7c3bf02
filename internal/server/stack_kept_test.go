package server

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// reading has an apply that reads what a hook of the plan has made, and says what it reads by its parts.
const reading = `variable "name" { type = string }

resource "terraform_data" "reads" {
  input = var.name
  provisioner "local-exec" {
    command = "grep -q 'hush.4711' made/secret.txt && made/run.sh && cat made/link.txt > /dev/null && cat ../note.txt"
  }
}
`

// TestAnApplyHasWhatItsPlanHasMade: it is kept sealed in between, whatever is of the platform or was there before is not, and
// a plan that makes nothing keeps nothing.
func TestAnApplyHasWhatItsPlanHasMade(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		const hook = `mkdir -p made && printf 'hu%s-47%s' sh 11 > made/secret.txt && printf '#!/bin/sh\necho it ra\n' > made/run.sh && chmod +x made/run.sh && ln -s secret.txt made/link.txt && echo and more >> ../note.txt`
		g.push("alice", "crew/net", map[string]string{"note.txt": "a note\n"})
		id := g.stack("net", reading, "  hooks:\n    afterPlan:\n      - |\n        "+hook+"\n")
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		if artifactOf(r, "plan", "made") == nil {
			t.Fatalf("the plan keeps %+v", r.Steps)
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		if log := g.log(id, "apply"); !strings.Contains(log, "it ra\n") || !strings.Contains(log, "a note\n") || !strings.Contains(log, "and more\n") {
			t.Errorf("the apply reads:\n%s", log)
		}
		g.nothingReadable("hush-4711")

		p := g.rests(g.preview("alice", "net", ""))
		if p.State != "finished" || artifactOf(p, "plan", "made") != nil {
			t.Errorf("a preview is %s and keeps %+v", p.State, p.Steps)
		}
		plain := g.rests(g.stack("plain", lightInfra, ""))
		if plain.State != "unconfirmed" || artifactOf(plain, "plan", "made") != nil {
			t.Errorf("a plan that makes nothing is %s and keeps %+v", plain.State, plain.Steps)
		}
		const many = "mkdir -p many && cd many && seq 1 20001 | xargs touch"
		more := g.rests(g.stack("more", lightInfra, "  hooks: {afterPlan: ['"+many+"']}\n"))
		g.wantRun(more, "unconfirmed", "1 to create")
		if artifactOf(more, "plan", "made") != nil || !strings.Contains(strings.Join(more.Warnings, " "), "is not kept: it has 20002 entries, and at most 20000 are") {
			t.Errorf("too much gives %v", more.Warnings)
		}
	})
}

// artifactOf gives what a step has left under a name; nil for nothing.
func artifactOf(r client.RunDetail, step, name string) *client.Artifact {
	for _, s := range r.Steps {
		if a, there := s.Artifacts[name]; there && s.Key == step {
			return &a
		}
	}
	return nil
}

// nothingReadable fails the test when a file of the house holds a text.
func (g *ground) nothingReadable(text string) {
	g.t.Helper()
	files := 0
	err := filepath.WalkDir(g.house.Options.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it is gone, or a socket
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		files++
		if bytes.Contains(content, []byte(text)) {
			g.t.Errorf("%s holds it", path)
		}
		return nil
	})
	if err != nil || files < 10 {
		g.t.Errorf("%d files were read: %v", files, err)
	}
}

// chatty has an apply that says more than a log takes, before and after it has made something.
const chatty = `variable "name" { type = string }

resource "terraform_data" "chatty" {
  input = var.name
  provisioner "local-exec" { command = "yes some words that nobody reads | head -n 20000" }
}
resource "terraform_data" "after" { input = terraform_data.chatty.output }
`

// TestWhatSaysMoreThanALogTakes: a plan ends, with the reason, and an apply goes on, so that its state is kept.
func TestWhatSaysMoreThanALogTakes(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.output = database, 200_000
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		id := g.stack("net", chatty, "  hooks: {beforePlan: ['[ ! -e loud ] || yes some words that nobody reads | head -n 20000']}\n")
		g.finish(id)
		log := g.log(id, "apply")
		if n := len(log); n < 200_000 || n > 200_500 || !strings.Contains(log, "roadbed: the log ends here: it has its 200000 bytes. The command goes on, and what it says is not kept.\n") {
			t.Errorf("the log has %d bytes, and ends with %q", n, log[max(0, n-300):])
		}
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 2 || s.Lock != "" {
			t.Errorf("after it the stack is %+v", s)
		}
		loud := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/loud": "yes\n"}))
		r := until(t, g.admin, loud, ended)
		if r.State != "failed" || !strings.Contains(r.Reason, "planning: ended at its output limit: the step wrote more than its 200000 bytes of output") {
			t.Errorf("a plan that says too much is %s: %s", r.State, r.Reason)
		}
		g.do("alice", filepath.Join(g.dir, "alice", "crew/net"), "rm", "--quiet", "infra/loud")
		g.wantRun(g.rests(g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/quiet": "yes\n"}))), "finished", "nothing to change")
	})
}
