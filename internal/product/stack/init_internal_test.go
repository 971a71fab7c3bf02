package stack

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// Planning runs programs of the repository, which may write what an init is said to have left.
func TestWhatAnInitHasLeftIsTakenAsAnInitLeavesItOnly(t *testing.T) {
	t.Parallel()
	backend := `{"version": 3, "terraform_version": "1.11.4", "backend": {"type": "http", "config": {"address": null, "password": null}, "hash": 3307601501}}`
	modules := `{"Modules":[{"Key":"","Source":"","Dir":"."},{"Key":"a","Source":"../m/a","Dir":"../m/a"},{"Key":"a.b","Source":"./b","Dir":"../m/a/b"}]}`
	for name, c := range map[string]struct {
		backend, modules string
		taken            bool
	}{
		"an init's":                   {backend, modules, true},
		"without modules":             {backend, "", true},
		"of OpenTofu":                 {strings.Replace(backend, `"terraform_version": "1.11.4", `, "", 1), modules, true},
		"no init":                     {"", modules, false},
		"no JSON":                     {"null and void", modules, false},
		"two documents":               {backend + backend, modules, false},
		"another engine":              {strings.Replace(backend, "1.11.4", "1.11.5", 1), modules, false},
		"the root twice":              {backend, strings.Replace(modules, `{"Key":"a",`, `{"Key":"","Source":"","Dir":"."},{"Key":"a",`, 1), false},
		"another version":             {strings.Replace(backend, `"version": 3`, `"version": 4`, 1), modules, false},
		"a setting with a line":       {strings.Replace(backend, `"password"`, `"pass\nword"`, 1), modules, false},
		"another backend":             {strings.Replace(backend, "http", "local", 1), modules, false},
		"an address":                  {strings.Replace(backend, `"address": null`, `"address": "http://192.0.2.1/"`, 1), modules, false},
		"an address that comes later": {strings.Replace(backend, `"password": null`, `"address": "http://192.0.2.1/"`, 1), modules, false},
		"more than a backend":         {strings.Replace(backend, `"version": 3`, `"version": 3, "remote": {}`, 1), modules, false},
		"a module elsewhere":          {backend, strings.Replace(modules, `"Dir":"../m/a"`, `"Dir":"../evil"`, 1), false},
		"a module within elsewhere":   {backend, strings.Replace(modules, `"Dir":"../m/a/b"`, `"Dir":"../m/a/c"`, 1), false},
		"the root elsewhere":          {backend, strings.Replace(modules, `"Dir":"."`, `"Dir":"../evil"`, 1), false},
		"a module of nothing":         {backend, strings.Replace(modules, `"Key":"a.b"`, `"Key":"c.b"`, 1), false},
		"a module from far":           {backend, strings.Replace(modules, `"Source":"./b"`, `"Source":"registry.example.com/a/b/c"`, 1), false},
		"a module twice":              {backend, strings.Replace(modules, `{"Key":"a.b"`, `{"Key":"a","Source":"../evil","Dir":"../evil"},{"Key":"a.b"`, 1), false},
		"an absolute module":          {backend, strings.Replace(modules, `"Source":"../m/a","Dir":"../m/a"`, `"Source":"/tmp/a","Dir":"/tmp/a"`, 1), false},
		"a version of a module":       {backend, strings.Replace(modules, `"Key":"a",`, `"Key":"a","Version":"1.0.0",`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := &run.Step{}
			plan.Result.Outputs = map[string]string{OutputEngine: "Terraform v1.11.4\n", outputInit: c.backend, outputModules: c.modules, outputLinks: "a/b/c/1/d\na/b/e/1/d\n"}
			got := initOf(plan)
			if (got != nil) != c.taken {
				t.Fatalf("it is taken as %+v", got)
			}
			if got == nil {
				return
			}
			if got.Engine != "Terraform v1.11.4" || got.Links != "a/b/c/1/d\na/b/e/1/d" || !strings.Contains(got.Backend, "\"config\": {\n") || strings.Contains(got.Modules, " ") {
				t.Errorf("it is %+v", got)
			}
			w := newShellWork(t)
			w.write("terraform.tfstate", got.Backend, 0o600)
			if out, ok := w.run(`TF_DATA_DIR="$ROADBED_WORK"` + ours); !ok {
				t.Errorf("its backend is not ours: %s", out)
			}
		})
	}
}
