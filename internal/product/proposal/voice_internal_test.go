package proposal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWhatIsTooLongIsCutWithAWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(500, 5000).Draw(t, "limit")
		w := Speech{Text: strings.Repeat(rapid.SampledFrom([]string{"ä\n", "word ", "é"}).Draw(t, "piece"), rapid.IntRange(0, 4000).Draw(t, "times"))}
		for range rapid.IntRange(0, 8).Draw(t, "folds") {
			w.Folds = append(w.Folds, Fold{"title", strings.Repeat("x", rapid.IntRange(0, 2000).Draw(t, "size"))})
		}
		text, folds := len(w.Text), len(w.Folds)
		w.fit(limit)
		for _, there := range []bool{true, false} {
			got := w.markdown(there)
			if len(got) > limit || !utf8.ValidString(got) {
				t.Fatalf("%d bytes of %d, with folds %t", len(got), limit, there)
			}
			if cut := len(w.Folds) < folds || text > limit; cut != strings.Contains(got, "The rest does not fit here") {
				t.Fatalf("cut is %t, and it says %q", cut, got[max(0, len(got)-200):])
			}
		}
	})
}

func TestASpeechCommandsNothing(t *testing.T) {
	t.Parallel()
	text := muted("Look:\n/close\natlantis apply\n/roadbed plan -stack net\nfine")
	if given, _ := commandsIn(text); len(given) != 0 || !strings.Contains(text, "/close") {
		t.Errorf("%q commands %+v", text, given)
	}
	log := commandLog([]Command{
		{Name: "roadbed", Arguments: "plan `\n/close", State: CommandDone, Answer: "net: run run_1\n/merge @all"},
		{Name: "roadbed", Arguments: "plan", State: CommandPassed},
	}, []string{"cyd`"})
	if given, _ := commandsIn(log); len(given) != 0 || strings.Count(log, "\n- ") != 3 || !strings.Contains(log, "`roadbed plan`: it is looked at") || !strings.Contains(log, "`cyd'` commands nothing") {
		t.Errorf("the log is %q, and commands %+v", log, given)
	}
}

func TestHabitsOfOtherToolsCommand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"atlantis plan":            "atlantis plan",
		"atlantis apply -p net":    "atlantis apply -p net",
		"/roadbed plan -stack net": "roadbed plan -stack net",
		"atlantis is a city":       "",
		"> atlantis plan":          "",
		" atlantis plan":           "",
	} {
		got := ""
		given, _ := commandsIn(text)
		for _, c := range given {
			got += strings.TrimSpace(c.Name + " " + c.Arguments)
		}
		if got != want {
			t.Errorf("%q commands %q, want %q", text, got, want)
		}
	}
}
