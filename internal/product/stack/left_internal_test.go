package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// leavesWhat is an engine that says it is asked, and leaves what it could not write where it is told to.
const leavesWhat = `#!/bin/sh
case $1 in
init) mkdir -p "$TF_DATA_DIR"; printf '{\n"backend": {\n"type": "http",\n"config": {\n"address": null\n}\n}\n}\n' > "$TF_DATA_DIR/terraform.tfstate" ;;
*)
  for at in ${LEAVES:-}; do
    mkdir -p "$at"
    echo "left by $1" > "$at/errored.tfstate"
  done
  case "$*" in *many*) exec yes ;; esac
  exit "${ENDS:-0}"
  ;;
esac
`

// TestWhatAnEngineCouldNotWriteIsTold and taken, wherever it left it and however the step goes on; what the repository has
// brought is not.
func TestWhatAnEngineCouldNotWriteIsTold(t *testing.T) {
	t.Parallel()
	hooked := given(map[string][]string{atBeforeInit: {"true"}, atAfterApply: {"true"}, atAfterPerform: {"true"}})
	apply, perform := Given{}.applying(atBeforeApply, atAfterApply), Given{}.performing(false)
	const here, below = "source", "engine/terragrunt/a b/c"
	for name, c := range map[string]struct {
		script, leaves, brings, ends, task string
		mounts, taken, told                string
		bare, full, folder, ok             bool // without cksum; no file can grow; what is brought is a folder
	}{
		"an apply":                        {script: apply, leaves: ".", ends: "1", taken: here, told: "left a state that it could not write in"},
		"an apply with hooks":             {script: hooked.applying(atBeforeApply, atAfterApply), leaves: ".", ends: "1", taken: here, told: "left a state that it could not write in"},
		"below Terragrunt's folder":       {script: apply, leaves: "$T", ends: "1", taken: here, told: "engine/terragrunt/"},
		"what was brought there":          {script: apply, brings: below, ends: "1"},
		"what was brought":                {script: apply, brings: here, ends: "1"},
		"what was brought, and another":   {script: apply, brings: here, leaves: ".", ends: "1", taken: here, told: "left a state"},
		"two":                             {script: apply, leaves: "$T $T/d", ends: "1", told: "engine/terragrunt/"},
		"a crash":                         {script: apply, ends: "11", told: "the engine ended with exit code 11"},
		"another":                         {script: hooked.applying(atBeforeApply, atAfterApply), ends: "2", told: "the engine ended with exit code 2"},
		"a failure":                       {script: apply, ends: "1"},
		"one that applies":                {script: apply, ok: true},
		"a task":                          {script: perform, task: "tofu apply", leaves: ".", ends: "1", taken: ".", told: "left a state"},
		"a task that goes on":             {script: perform, task: "cd / && tofu apply || true", leaves: "$S", ends: "1", taken: ".", told: "left a state", ok: true},
		"a task with hooks":               {script: hooked.performing(false), task: "terraform import a b", leaves: ".", ends: "1", taken: ".", told: "left a state"},
		"a task of what was brought":      {script: perform, task: "test -s errored.tfstate && tofu state push errored.tfstate", brings: here, ok: true},
		"a task that crashes":             {script: perform, task: "tofu apply | cat", ends: "2", told: "the engine ended with exit code 2", ok: true},
		"a task that plans":               {script: perform, task: "tofu plan -detailed-exitcode || tofu -chdir=a plan -detailed-exitcode || true", ends: "2", ok: true},
		"a task that lists":               {script: perform, task: "tofu state list many | head -n1", ok: true},
		"a task that lists elsewhere":     {script: perform, task: "tofu -chdir=a state show many | head -n1; tofu -version many | head -n1", ok: true},
		"a task that only reads":          {script: perform, task: "for do in show output plan providers graph validate version fmt; do tofu $do || true; done", ends: "11", ok: true},
		"a task that moves":               {script: perform, task: "tofu state mv many | head -n1", told: "the engine ended with exit code 141", ok: true},
		"a task of what is named so":      {script: perform, task: "tofu import 'a plan b' list || true", ends: "11", told: "exit code 11", ok: true},
		"a task below Terragrunt's":       {script: perform, task: "tofu apply", leaves: "$T", ends: "1", taken: ".", told: "engine/terragrunt/"},
		"a task of another folder":        {script: perform, task: "mkdir other && cd other && tofu apply", leaves: ".", ends: "1"},
		"a task that is no engine's work": {script: perform, task: "exit 11"},
		"without cksum":                   {script: perform, task: "tofu apply", leaves: "$S", ends: "1", bare: true, taken: ".", told: "left a state"},
		"where no file can be written":    {script: apply, full: true, ends: "1", told: "where no file can be written: it could not leave there a state"},
		"there, with hooks":               {script: hooked.applying(atBeforeApply, atAfterApply), full: true, ends: "1", told: "where no file can be written"},
		"a task there":                    {script: perform, full: true, task: "terraform import a b", ends: "1", told: "where no file can be written"},
		"a crash there":                   {script: apply, full: true, ends: "11", told: "the engine ended with exit code 11"},
		"a task there that reads":         {script: perform, full: true, task: "tofu plan || tofu state list || true", ends: "1", ok: true},
		"one there that applies":          {script: apply, full: true, ok: true},
		"room for telling it":             {script: perform, task: `test "$(wc -c < "$ROADBED_WORK/errored")" -ge 16384`, ok: true},
		"a folder that was brought":       {script: apply, brings: here, folder: true, leaves: ".", ends: "1", taken: here, told: "left a state"},
		"a task beside such a folder":     {script: perform, brings: here, folder: true, task: "tofu apply", ends: "1", told: "where no file can be written"},
		"what was mounted":                {script: perform, task: "tofu apply", brings: ".", mounts: "a state\n", ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			w.write("bin", leavesWhat, 0o700)
			w.write("plan.bin", "PK\nreviewed\n", 0o600)
			if c.brings != "" {
				at := filepath.Join(w.dir, c.brings)
				if c.folder {
					at = filepath.Join(at, "errored.tfstate")
				}
				if err := os.MkdirAll(at, 0o700); err != nil {
					t.Fatal(err)
				}
				if c.folder {
					w.write(c.brings+"/errored.tfstate/of", "brought\n", 0o600)
				} else {
					w.write(c.brings+"/errored.tfstate", "brought\n", 0o600)
				}
			}
			if c.mounts != "" {
				w.write("lost", c.mounts, 0o600)
			}
			if c.bare {
				c.script = "cksum() { return 127; }\n" + c.script
			}
			if c.full {
				c.script = "trap '' XFSZ\nulimit -f 40\n" + c.script
			}
			leaves := strings.NewReplacer("$T", filepath.Join(w.dir, "engine/terragrunt/a"), "$S", filepath.Join(w.dir, "source")).Replace(c.leaves)
			out, ok := w.run(c.script, "LEAVES="+leaves, "ENDS="+c.ends, "ROADBED_TASK="+c.task)
			said := w.read("lost")
			if ok != c.ok || !strings.Contains(said, c.told) || (c.told == "") != (said == "") {
				t.Errorf("%t, it tells %q, want %q:\n%s", ok, said, c.told, out)
			}
			from := "source"
			if strings.Contains(c.script, "ROADBED_TASK") {
				from = "."
			}
			got := w.read(filepath.Join(from, "errored.tfstate"))
			if (c.taken == "") != (got == "") || c.taken != "" && (c.taken != from || !strings.HasPrefix(got, "left by ")) {
				t.Errorf("what is taken is %q", got)
			}
		})
	}
}

// TestEachStepOfAnEngineGivesWhatItCouldNotWrite, up to the size of any state.
func TestEachStepOfAnEngineGivesWhatItCouldNotWrite(t *testing.T) {
	t.Parallel()
	vendors := all()
	vendors[vendorEngine] = Vendor{}
	for _, word := range []string{vendorEngine, vendorTerragrunt, vendorPulumi} {
		r, in := vendorRun(vendors[word])
		apply, task := in.tool().applyStep(r, in, made{}, 1), in.tool().taskStep(r, in, made{}, 1)
		for key, outputs := range map[string]map[string]int64{"apply": sizes(apply.Job.Outputs), "task": sizes(task.Job.Outputs)} {
			if outputs[outputLost] == 0 || word != vendorPulumi && outputs[erroredState] != StateLimit {
				t.Errorf("%s of %s gives %v", key, word, outputs)
			}
		}
	}
}

func sizes(outputs []worker.Output) map[string]int64 {
	all := map[string]int64{}
	for _, o := range outputs {
		if o.Optional {
			all[o.Name] = o.MaxBytes
		}
	}
	return all
}

// TestFilesOfThePlatformAreNotMounted: what a step tells by them is no file of a context.
func TestFilesOfThePlatformAreNotMounted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"lost": true, "errored": true, "errored.tfstate": true, "source/errored.tfstate": true, "source/a/errored.tfstate": true, "plan.json": true, "source": true,
		"engine.links": true, "engine.lock": true, "engine.init": true, "engine.modules": true, "engine.afresh": true, "engine.said": true, "modules": false, "init/a": false,
		"source/lost": false, "lost.txt": false, "kubeconfig": false,
	} {
		said := ""
		checkFiles([]File{{Path: name}}, func(message, _ string, _ ...string) { said = message })
		if (said == name+" is a file of the platform") != want || !want && said != "" {
			t.Errorf("of %s it says %q", name, said)
		}
	}
}
