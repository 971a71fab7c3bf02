package worker

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestToolsAreLent: what the pool keeps ready comes first; what it can't bring says why.
func TestToolsAreLent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	asked := ""
	w := New(Options{Pool: "default", Tools: map[string]Tool{"go": {Env: map[string]string{"IS": "kept"}}}, Lend: func(_ context.Context, _ Lease, name string, log io.Writer) (Tool, error) {
		asked += name + " "
		switch name {
		case "engine:tofu@1.9.0":
			fmt.Fprintln(log, "fetched")
			return Tool{Mounts: []execute.Mount{{Source: dir, Target: "/tools/engine"}}, Env: map[string]string{"IS": "lent"}, Path: []string{"/tools/engine"}}, nil
		case "engine:tofu@2.0.0":
			return Tool{}, fault.Errorf(fault.Unavailable, "there is no network")
		}
		return Tool{}, fault.Errorf(fault.NotFound, "nothing of the kind")
	}})
	for _, c := range []struct{ tool, is, says, wrong string }{
		{"go", "kept", "", ""},
		{"engine:tofu@1.9.0", "lent", "fetched", ""},
		{"engine:tofu@2.0.0", "", "", "there is no network"},
		{"cobol", "", "", "has no tool cobol; install it"},
	} {
		spec := execute.Spec{Env: map[string]string{}}
		var log strings.Builder
		places, err := w.tools(t.Context(), Lease{Job: Job{Tools: []string{c.tool}}}, &spec, &log)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v", c.tool, err)
		}
		if spec.Env["IS"] != c.is || !strings.Contains(log.String(), c.says) || c.is == "lent" && (len(places) != 1 || len(spec.Mounts) != 1) {
			t.Errorf("%s: %v, %v, %q", c.tool, spec, places, log.String())
		}
	}
	if asked != "engine:tofu@1.9.0 engine:tofu@2.0.0 cobol " {
		t.Errorf("asked for %s", asked)
	}
}

// TestProgramsOnPATHAreLent, wherever on it they are, with what belongs to them and stands beside them.
func TestProgramsOnPATHAreLent(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"infracost", "pulumi", "pulumi-language-yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	tools := FindTools(t.Context(), "", "")
	for name, want := range map[string][]string{"infracost": {"infracost"}, "pulumi": {"pulumi", "pulumi-language-yaml"}, "terragrunt": nil} {
		var got []string
		for _, m := range tools[name].Mounts {
			if m.Source != filepath.Join(dir, filepath.Base(m.Target)) || filepath.Dir(m.Target) != "/tools/"+name || !m.ReadOnly {
				t.Errorf("%s is shown as %+v", name, m)
			}
			got = append(got, filepath.Base(m.Target))
		}
		if _, found := tools[name]; found != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("of %s there is %q, want %q", name, got, want)
		}
	}
}

// TestAStepDoesWithoutExtras: what the pool has of them is shown as its tools are, and the lack of another is no fault.
func TestAStepDoesWithoutExtras(t *testing.T) {
	t.Parallel()
	there, gone := filepath.Join(t.TempDir(), "infracost"), filepath.Join(t.TempDir(), "pulumi")
	if err := os.WriteFile(there, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	w := New(Options{Pool: "default", Tools: map[string]Tool{"infracost": Beside("infracost", there), "pulumi": single("pulumi", gone)}, Lend: func(_ context.Context, _ Lease, name string, _ io.Writer) (Tool, error) {
		t.Errorf("%s is to be brought", name)
		return Tool{}, fault.Errorf(fault.NotFound, "nothing of the kind")
	}})
	spec := execute.Spec{Env: map[string]string{}}
	var log strings.Builder
	places, err := w.tools(t.Context(), Lease{Job: Job{Extras: []string{"cobol", "pulumi", "infracost"}}}, &spec, &log)
	if err != nil || len(places) != 1 || places[0] != "/tools/infracost" || len(spec.Mounts) != 1 || spec.Mounts[0].Source != there {
		t.Errorf("it sees %v at %v, %v", spec.Mounts, places, err)
	}
	if !strings.HasPrefix(log.String(), "roadbed: the pool default has lost its tool pulumi: "+gone) || strings.Contains(log.String(), "cobol") {
		t.Errorf("the log is %q", log.String())
	}
	spec = execute.Spec{Env: map[string]string{}}
	if _, err := w.tools(t.Context(), Lease{Job: Job{Tools: []string{"infracost"}, Extras: []string{"infracost"}}}, &spec, &log); err != nil || len(spec.Mounts) != 1 {
		t.Errorf("asked for twice it sees %v, %v", spec.Mounts, err)
	}
}
