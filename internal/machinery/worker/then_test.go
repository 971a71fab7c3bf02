package worker

import (
	"strings"
	"testing"
)

// thenOf is a job whose first command leaves a plan, and whose second tells what it sees.
func thenOf(first, second string) Job {
	j := sh(first)
	j.SecretEnv = map[string]string{"PASSWORD": "default/password"}
	j.Outputs = []Output{{Name: "alone", Path: "alone", Kind: OutputText, Optional: true}}
	j.Then = &Then{
		If: "alone", Argv: []string{"/bin/sh", "-c", second}, Env: map[string]string{"OWN": "own"}, Takes: []string{"plan"},
		Files:   []File{{Path: "rc", Content: "config"}},
		Outputs: []Output{{Name: "seen", Path: "seen", Kind: OutputText}, {Name: "file", Path: "plan", Kind: OutputFile}},
	}
	return j
}

func TestASecondCommandSeesNothingOfTheFirst(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.hub.offer("a", thenOf(`echo one; echo the plan > plan; echo hidden > other; echo yes > alone; echo x > /tmp/left; FIRST=1; export FIRST
(while :; do echo changed > /work/p; mv /work/p /work/plan; sleep 0.01; done) &
echo the plan > plan`,
		`echo two; { ls; ls /tmp; cat plan rc; env; } > seen; pwd >> seen`))
	got, log := b.hub.result(t, "a")
	if got.ExitCode != 0 || !strings.Contains(log, "one\ntwo\n") || got.Artifacts["file"].Size == 0 || got.Outputs["alone"] != "yes\n" {
		t.Fatalf("got %+v, %q", got, log)
	}
	seen := got.Outputs["seen"]
	for _, want := range []string{"plan\nrc\nseen\n", "config", "OWN=own", "/work\n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the second does not see %q: %s", want, seen)
		}
	}
	for _, not := range []string{"hidden", "other", "left", "FIRST", "PASSWORD", "hunter2"} {
		if strings.Contains(seen, not) {
			t.Errorf("the second sees %q: %s", not, seen)
		}
	}
}

func TestASecondCommandRunsWhereTheFirstSaysSo(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	for id, c := range map[string]struct {
		first, second string
		fails, ran    bool
		log           string
	}{
		"said nothing":    {"echo p > plan", "echo two > seen", false, false, ""},
		"said no":         {"echo p > plan; echo no > alone", "echo two > seen", false, false, ""},
		"the first fails": {"echo p > plan; echo yes > alone; exit 3", "echo two > seen", true, false, ""},
		"the second does": {"echo p > plan; echo yes > alone", "echo two > seen; exit 4", true, true, ""},
		"left nothing":    {"echo yes > alone", "echo two > seen", true, false, "no such file"},
		"left a link":     {"ln -s /etc/passwd plan; echo yes > alone", "cat plan > seen", true, false, "prepare the workspace"},
		"left a pipe":     {"mkfifo plan; echo yes > alone", "cat plan > seen", true, false, "not a file"},
	} {
		t.Run(id, func(t *testing.T) {
			name := strings.ReplaceAll(id, " ", "-")
			b.hub.offer(name, thenOf(c.first, c.second))
			got, log := b.hub.result(t, name)
			if (got.ExitCode != 0) != c.fails || (got.Outputs["seen"] == "two\n") != c.ran || !strings.Contains(log, c.log) || strings.Contains(got.Outputs["seen"], "root:") {
				t.Errorf("got %+v, %q", got, log)
			}
		})
	}
}
