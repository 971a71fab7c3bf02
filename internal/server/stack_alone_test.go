package server

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// jobs gives the jobs of a run's steps by their keys.
func (g *ground) jobs(id string) map[string]worker.Job {
	g.t.Helper()
	jobs := map[string]worker.Job{}
	if err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
		steps, err := g.house.Runs.StepsTx(g.t.Context(), tx, id)
		for _, s := range steps {
			jobs[s.Key] = s.Job
		}
		return err
	}); err != nil {
		g.t.Fatal(err)
	}
	return jobs
}

// TestAPlanWithoutProvidersNeedsNoPreparing has a configuration with a module, and a file of locked providers that it has
// no use for, planned, read and applied: only what needs it prepares the engine.
func TestAPlanWithoutProvidersNeedsNoPreparing(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		files := map[string]string{
			"infra/main.tf":     "variable \"name\" { type = string }\nmodule \"part\" {\n  source = \"./part\"\n  name = var.name\n}\noutput \"made\" { value = module.part.made }\n",
			"infra/part/all.tf": "variable \"name\" { type = string }\nresource \"terraform_data\" \"it\" { input = var.name }\noutput \"made\" { value = terraform_data.it.output }\n",
		}
		for round, prepares := range []bool{false, true} {
			if prepares {
				files["infra/.terraform.lock.hcl"] = "provider \"registry.opentofu.org/hashicorp/null\" {\n  version = \"3.2.4\"\n}\n"
				files["infra/main.tf"] = strings.ReplaceAll(files["infra/main.tf"], "= var.name", "= \"other\"")
			}
			commit := g.push("alice", "crew/net", files)
			g.apply(stackDocument("net", ""))
			id := g.stackRun("net", commit)
			g.wantRun(g.rests(id), "unconfirmed", "")
			if keys := slices.Sorted(maps.Keys(g.jobs(id))); !slices.Equal(keys, []string{"judge", "plan"}) {
				t.Errorf("round %d: the steps are %v", round, keys)
			}
			if log := g.log(id, "plan"); strings.Count(log, "Initializing the backend") != 1 {
				t.Errorf("round %d: the engine was not prepared once:\n%s", round, log)
			}
			if _, err := g.act("bob", id, "confirm"); err != nil {
				t.Fatal(err)
			}
			g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
			if log := g.log(id, "apply"); strings.Contains(log, "Initializing") != prepares {
				t.Errorf("round %d: to apply, the engine was prepared: %v\n%s", round, !prepares, log)
			}
			if got, want := g.output("net", "made"), []string{`"net"`, `"other"`}[round]; got != want {
				t.Errorf("round %d: the output is %s, want %s", round, got, want)
			}
		}
	})
}

// TestAStackNeedsNoSecondInit has what an init has left taken by the runs after it, as long as the engine needs no more.
func TestAStackNeedsNoSecondInit(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		part := "variable \"name\" { type = string }\nresource \"terraform_data\" \"it\" { input = var.name }\n"
		plain := "variable \"name\" { type = string }\nmodule \"part\" {\n  source = \"./part\"\n  name = \"%s\"\n}\n"
		more := "module \"other\" {\n  source = \"./other\"\n  name = \"o\"\n}\n"
		init := "  environment: [{name: TF_CLI_ARGS_init, value: -upgrade}]\n"
		for _, c := range []struct {
			name, main, spec, state, reason string
			inits                           int
			says                            string
		}{
			{"the first", fmt.Sprintf(plain, "a"), "", "unconfirmed", "1 to create", 1, ""},
			{"another value", fmt.Sprintf(plain, "b"), "", "unconfirmed", "1 to create", 0, "the last init"},
			{"another module", fmt.Sprintf(plain, "c") + more, "", "unconfirmed", "2 to create", 1, "roadbed: it does"},
			{"the same ones", fmt.Sprintf(plain, "d") + more, "", "unconfirmed", "2 to create", 0, "the last init"},
			{"one less", fmt.Sprintf(plain, "e"), "", "unconfirmed", "1 to create", 0, "the last init"},
			{"one that is broken", fmt.Sprintf(plain, "f") + "output \"x\" { value = nothing }\n", "", "failed", "planning: ", 0, "nothing"},
			{"after one that failed", fmt.Sprintf(plain, "fg"), "", "unconfirmed", "1 to create", 1, ""},
			{"after that", fmt.Sprintf(plain, "ff"), "", "unconfirmed", "1 to create", 0, "the last init"},
			{"arguments of an init", fmt.Sprintf(plain, "g"), init, "unconfirmed", "1 to create", 1, ""},
			{"after it", fmt.Sprintf(plain, "h"), "", "unconfirmed", "1 to create", 0, "the last init"},
		} {
			commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": c.main, "infra/part/all.tf": part, "infra/other/all.tf": part})
			g.apply(stackDocument("net", c.spec))
			id := g.stackRun("net", commit)
			g.wantRun(g.rests(id), c.state, c.reason)
			log := g.log(id, "plan")
			if n := strings.Count(log, "Initializing the backend"); n != c.inits || !strings.Contains(log, c.says) {
				t.Errorf("%s: there were %d inits, want %d, with %q:\n%s", c.name, n, c.inits, c.says, log)
			}
			if strings.Contains(log, "Module not installed") {
				t.Errorf("%s: what the engine finds to be missing is told as if it stayed so:\n%s", c.name, log)
			}
			if c.state == "failed" {
				g.followed("stack.ends", "run.state-changed", id, "failed")
			}
			if c.state == "unconfirmed" {
				if _, err := g.act("alice", id, "discard"); err != nil {
					t.Fatal(err)
				}
			}
		}
		commit := g.push("alice", "crew/net", map[string]string{"infra/zz_override.tf": "terraform {\n  backend \"local\" {}\n}\n"})
		id := g.stackRun("net", commit)
		g.wantRun(g.rests(id), "failed", "planning: ")
		if log := g.log(id, "plan"); !strings.Contains(log, "names a backend or a cloud") {
			t.Errorf("another backend is taken:\n%s", log)
		}
	})
}

// poisoner stands for an engine whose planning runs a program of a provider that spoils all that it can reach, and, where
// the repository has a file "lie", says that there was none. It reads a plan with the provider only, and where nothing is
// spoilt.
const poisoner = `#!/bin/sh
set -eu
for last; do :; done
case $1 in
version) echo "OpenTofu v9.9.9" ;;
init)
  mkdir -p "$TF_DATA_DIR/providers"
  printf '{\n  "backend": {\n    "type": "http",\n    "config": {\n      "address": null\n    },\n    "hash": 1\n  }\n}\n' > "$TF_DATA_DIR/terraform.tfstate"
  ;;
plan)
  echo PK > "$ROADBED_WORK/plan.bin"
  for dir in "$TF_DATA_DIR" "$TF_DATA_DIR/providers" "$ROADBED_WORK" . /tmp; do echo bad > "$dir/spoilt"; done
  if [ -e lie ]; then
    cat lie > "$ROADBED_WORK/engine.links"
    : > "$ROADBED_WORK/engine.lock"
    echo yes > "$ROADBED_WORK/alone"
  fi
  exit 2
  ;;
show)
  [ -d "$TF_DATA_DIR/providers" ] || { echo "Error: there is no provider" >&2; exit 1; }
  for dir in "$TF_DATA_DIR" "$TF_DATA_DIR/providers" "$ROADBED_WORK" . /tmp; do
    [ ! -e "$dir/spoilt" ] || { echo "Error: $dir is spoilt" >&2; exit 1; }
  done
  echo '{"format_version":"1.2","resource_changes":[{"address":"a.b","mode":"managed","type":"a","name":"b","change":{"actions":["create"],"before":null,"after":{}}}]}'
  ;;
esac
`

// TestAPlanOfAProviderIsReadWithItAndWithNothingElse has programs of the planning leave what they can, and lie.
func TestAPlanOfAProviderIsReadWithItAndWithNothingElse(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Engine = database, filepath.Join(t.TempDir(), "poisoner")
		if err := os.WriteFile(o.Engine, []byte(poisoner), 0o755); err != nil {
			t.Fatal(err)
		}
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		if got := h.engine.is(); got != "OpenTofu v9.9.9" {
			t.Errorf("the engine is %q", got)
		}
		id := g.stack("net", "# nothing\n", "  engine: {name: tofu}\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if show := g.jobs(id)["show"]; fmt.Sprint(show.Sources) != fmt.Sprint(g.jobs(id)["plan"].Sources) {
			t.Errorf("a plan with a provider is read beside %v", show.Sources)
		}
		if _, err := g.act("alice", id, "discard"); err != nil {
			t.Fatal(err)
		}
		commit := g.push("alice", "crew/net", map[string]string{"infra/lie": ""})
		id = g.stackRun("net", commit)
		g.wantRun(g.rests(id), "failed", "planning: ")
		if log := g.log(id, "plan"); !strings.Contains(log, "there is no provider") { // it has nothing of the planning
			t.Errorf("a plan that was said to need no provider is read:\n%s", log)
		}
		for _, lie := range []string{"../../../work/engine/providers/spoilt\n", "registry.opentofu.org/a/b/1.0.0/linux_amd64\n"} {
			commit = g.push("alice", "crew/net", map[string]string{"infra/lie": lie})
			id = g.stackRun("net", commit)
			g.wantRun(g.rests(id), "unconfirmed", "1 to create")
			if _, there := g.jobs(id)["show"]; !there {
				t.Errorf("a plan that was said to need %q is read with that", lie)
			}
			if _, err := g.act("alice", id, "discard"); err != nil {
				t.Fatal(err)
			}
		}
		id = g.stack("web", "# nothing\n", "  engine: {name: terraform, version: 99.0.0}\n")
		g.wantRun(g.rests(id), "failed", "there is no Terraform 99.0.0 here")
	})
}
