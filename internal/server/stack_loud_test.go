package server

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
)

// loudInfra has a provider print a secret that has words, and one that has none, wherever a provider can, and a check of its
// own that says the first: what is broken into lines is broken within it.
const loudInfra = `terraform {
  required_providers {
    null = { source = "hashicorp/null" }
  }
}

variable "phrase" {
  type      = string
  sensitive = true
}

variable "token" {
  type      = string
  sensitive = true
}

data "null_loud" "phrase" {
  text = var.phrase
  fail = %t
}

data "null_loud" "token" {
  text = "Bearer ${var.token}"
}

check "phrase" {
  assert {
    condition     = var.phrase == ""
    error_message = "The configuration itself says what it was given, for long: ${nonsensitive(var.phrase)} and ${nonsensitive(var.phrase)} it is."
  }
}

resource "terraform_data" "a" {
  input = "a"
}
`

// mirrors adds a provider to the mirror, for each engine.
func (g *ground) mirrors(name, version string, archive []byte) {
	g.t.Helper()
	for _, host := range registryOf {
		raw := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }}
		if err := g.admin.Do(g.t.Context(), "PUT", "/mirror/providers/"+host+"/hashicorp/"+name+"/"+version+"/"+packages.Here(), nil, raw, nil); err != nil {
			g.t.Fatal(err)
		}
	}
}

// TestWhatAProviderPrintsOfASecretIsNowhereToRead looks for each word of a secret in all that is shown and kept of runs in
// which the provider prints it: in warnings and errors, which the engine breaks into lines and frames, and as it likes in
// what the engine logs of it.
func TestWhatAProviderPrintsOfASecretIsNowhereToRead(t *testing.T) {
	t.Parallel()
	archive := nullProvider(t)
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.ProviderMirror = database, mirrorOnly
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		g.mirrors("null", nullVersion, archive)
		words := []string{"zanzibar-4711", "quokka-4712", "plumage-4713", "tangerine-4714", "hush-4715-hush"}
		for name, value := range map[string]string{"phrase": strings.Join(words[:4], " "), "token": words[4]} {
			if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/"+name, nil, map[string]string{"value": value}, nil); err != nil {
				t.Fatal(err)
			}
		}
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: loud}, spec: {labels: ["autoattach:*"], variables: [{name: TF_VAR_phrase, secretRef: default/phrase}, {name: TF_VAR_token, secretRef: default/token}, {name: TF_LOG, value: trace}],
  hooks: {afterPlan: ['TF_LOG= "$ROADBED_ENGINE" plan -input=false -lock=false']}}}` + "\n")
		hides := func(what, text string) {
			t.Helper()
			for _, word := range words {
				if at := strings.Index(text, word); at >= 0 {
					t.Errorf("%s shows %s: %q", what, word, text[max(0, at-200):min(len(text), at+100)])
				}
			}
		}
		shown := func(id string, steps ...string) {
			t.Helper()
			for _, path := range []string{"/runs/" + id, "/runs/" + id + "/plan", "/decisions", "/ledger"} {
				var said []byte
				if err := g.admin.Do(t.Context(), "GET", path, nil, nil, &said); err != nil && !strings.HasSuffix(path, "/plan") {
					t.Fatal(err)
				}
				hides("GET "+path, string(said))
			}
			for _, step := range steps {
				log := g.log(id, step)
				hides("the log of "+step, log)
				for _, said := range []string{"A provider says ***", "the log says ***", "stderr says ***", "stdout says ***"} {
					if step == "plan" && !strings.Contains(log, said) {
						t.Errorf("the log of the plan lacks %q", said)
					}
				}
				if !strings.Contains(log, "says what it was given") {
					t.Errorf("in the log of %s the check says nothing", step)
				}
			}
			m := remote{g, "admin"}
			plan := m.wants(200, "GET", "plans/plan-"+strings.TrimPrefix(id, "run_"), "")
			hides("the log for terminals", m.wholeLog(plan.text("log-read-url"), 1<<20))
		}

		id := g.stack("net", fmt.Sprintf(loudInfra, false), "")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		shown(id, "plan")
		if log := g.log(id, "plan"); !strings.Contains(log, "\x1b[33m│\x1b[0m") {
			t.Error("nothing of the log is framed and colored")
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		shown(id, "apply")

		d := desk{g, "crew/net"}
		p := d.propose("alice", "idea", map[string]string{"infra/main.tf": fmt.Sprintf(loudInfra, true)})
		comment := d.told(p.Number, "`default/net`", "failed")
		hides("the comment of the proposal", comment.Body)
		failed := d.stacks("alice", p.Number)[0].Run
		r := until(t, g.admin, failed, ended)
		g.wantRun(r, "failed", "planning: ")
		hides("the reason", r.Reason)
		if log := g.log(failed, "plan"); !strings.Contains(log, "A provider fails by ***") {
			t.Error("the log does not say why it fails")
		}
		shown(failed, "plan")

		err := filepath.WalkDir(o.Data, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil // files come and go while the server works
			}
			if data, err := os.ReadFile(path); err == nil {
				hides(path, string(data))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
