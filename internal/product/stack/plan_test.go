package stack_test

import (
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// planned is what OpenTofu 1.12 writes for one resource of each action.
//
//go:embed testdata/plan.json
var planned []byte

func TestAPlanIsCountedAndItsSecretsTakenOut(t *testing.T) {
	t.Parallel()
	p, err := stack.ReadPlan(planned)
	if err != nil {
		t.Fatal(err)
	}
	want := stack.Summary{Create: 1, Update: 1, Delete: 1, Replace: 2, NoOp: 1, Import: 1, Move: 1, Forget: 1, Outputs: 1}
	if p.Summary != want {
		t.Errorf("counted %+v, want %+v", p.Summary, want)
	}
	if got := p.Summary.String(); got != "1 to create, 1 to change, 2 to replace, 1 to destroy, 1 to import, 1 to move, 1 to forget, 1 output changes" {
		t.Errorf("says %q", got)
	}
	shown, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"old secret", "new secret", "hidden"} {
		if strings.Contains(string(shown), secret) {
			t.Errorf("%q is shown: %s", secret, shown)
		}
	}
	changed := p.Changes[1]
	if !changed.Sensitive || changed.After.(map[string]any)["tags"].([]any)[1] != "b" {
		t.Errorf("the change is %+v; want that it is marked and shows what is not sensitive", changed)
	}
	if p.Changes[0].Sensitive || p.Changes[2].Module != "module.m" || p.Changes[2].Reason != "replace_because_cannot_update" || p.Changes[6].PreviousAddr != "terraform_data.was" {
		t.Errorf("the changes are %+v", p.Changes)
	}
	if p.Outputs[0].Address != "a" || p.Outputs[1].Address != "z" {
		t.Errorf("the outputs are not in order: %+v", p.Outputs)
	}
}

// drifted is the drift that OpenTofu 1.12 writes of three resources: one that was changed, one that is gone, and one that is
// elsewhere by now.
const drifted = `[
 {"address": "vm.a", "mode": "managed", "type": "vm", "name": "a", "change": {"actions": ["update"], "before": {"size": 1, "key": "old secret"}, "after": {"size": 2, "key": "new secret"}, "after_unknown": {}, "before_sensitive": {"key": true}, "after_sensitive": {"key": true}}},
 {"address": "vm.b", "mode": "managed", "type": "vm", "name": "b", "change": {"actions": ["delete"], "before": {"size": 1}, "after": null, "after_unknown": {}}},
 {"address": "vm.c", "previous_address": "vm.was", "mode": "managed", "type": "vm", "name": "c", "change": {"actions": ["no-op"], "before": {"size": 1}, "after": {"size": 1}}},
 {"address": "vm.d", "mode": "managed", "type": "vm", "name": "d", "change": {"actions": ["no-op"], "before": {"size": 1}, "after": {"size": 1}}}
]`

func TestWhatWasChangedOutsideIsReadOfAPlan(t *testing.T) {
	t.Parallel()
	read := func(changes string) stack.Plan {
		t.Helper()
		p, err := stack.ReadPlan([]byte(`{"format_version": "1.2", ` + changes + `"resource_drift": ` + drifted + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := json.Marshal(p); err != nil || strings.Contains(string(shown), " secret") {
			t.Errorf("%v, or a secret is shown: %s", err, shown)
		}
		return p
	}
	words := func(all []stack.Change) (said string) {
		for _, c := range all {
			said += c.Action + " " + c.Address + ","
		}
		return said
	}
	alone := read("")
	if !alone.Refresh || alone.Summary != (stack.Summary{Refresh: 1, Forget: 1, Move: 1}) || alone.Summary.Empty() || alone.Summary.String() != "1 to move, 1 to forget, 1 to refresh" {
		t.Errorf("a plan that only refreshes is %t, %+v: %s", alone.Refresh, alone.Summary, alone.Summary)
	}
	if got := words(alone.Changes); got != "update vm.a,forget vm.b,move vm.c," || len(alone.Outside) != 0 {
		t.Errorf("its changes are %s, and outside of them %+v", got, alone.Outside)
	}
	beside := read(`"resource_changes": [{"address": "vm.b", "mode": "managed", "type": "vm", "change": {"actions": ["create"], "before": null, "after": {"size": 1}}}], `)
	if beside.Refresh || beside.Summary != (stack.Summary{Create: 1}) || words(beside.Changes) != "create vm.b," {
		t.Errorf("a plan with changes is %t, %+v: %s", beside.Refresh, beside.Summary, words(beside.Changes))
	}
	if got := words(beside.Outside); got != "update vm.a,delete vm.b,move vm.c," || !beside.Outside[0].Sensitive {
		t.Errorf("outside of it there are %s", got)
	}
}

func TestWhatIsNoPlanIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[]", "{", "{}", `{"format_version": 7}`, `{"resource_changes": [{"change": {"actions": "create"}}], "format_version": "1"}`} {
		if _, err := stack.ReadPlan([]byte(text)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// That a secret becomes another is told, and neither is shown; one that stays looks the same on both sides.
func TestASecretThatChangesIsMarked(t *testing.T) {
	t.Parallel()
	p, err := stack.ReadPlan([]byte(`{"format_version": "1.2", "resource_changes": [{"address": "db.main", "change": {
		"actions": ["delete", "create"],
		"before": {"password": "old-one", "same": "stays", "user": {"key": "old-two", "name": "a"}, "tokens": ["t1", "t2"], "whole": "old-three", "gone": "old-four"},
		"after":  {"password": "new-one", "same": "stays", "user": {"key": "new-two", "name": "b"}, "tokens": ["t1", "t3", "t4"], "whole": {"in": "new-three"}},
		"before_sensitive": {"password": true, "same": true, "user": {"key": true}, "tokens": [true, true], "whole": true, "gone": true},
		"after_sensitive":  {"password": true, "same": true, "user": {"key": true}, "tokens": [true, true, true], "whole": {"in": true}},
		"after_unknown": {"made": true},
		"replace_paths": [["user", "key"], ["tokens", 1], ["user", "key"], []]}}],
		"output_changes": {"key": {"actions": ["update"], "before": "old-five", "after": "new-five", "before_sensitive": true, "after_sensitive": true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	const is, was = "(sensitive value, changed)", "(sensitive value)"
	want := `{"password":"` + is + `","same":"` + was + `","tokens":["` + was + `","` + is + `","` + was + `"],"user":{"key":"` + is + `","name":"b"},"whole":{"in":"` + was + `"}}`
	if got := string(mustJSON(t, p.Changes[0].After)); got != want {
		t.Errorf("after is shown as %s, want %s", got, want)
	}
	if p.Outputs[0].After != is || p.Outputs[0].Before != was {
		t.Errorf("the output is shown as %v and %v", p.Outputs[0].Before, p.Outputs[0].After)
	}
	if got := string(mustJSON(t, p.Changes[0].Replaces)); got != `["user.key","tokens[1]"]` {
		t.Errorf("what forces the replacement is %s", got)
	}
	if shown := string(mustJSON(t, p)); strings.Contains(shown, "old-") || strings.Contains(shown, "new-") {
		t.Errorf("a secret is shown: %s", shown)
	}
}

// value is any JSON value whose texts are open or secret, with the mark of what is secret in it.
func value(t *rapid.T, depth int) (v, mark any) {
	switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case kind == 0 || depth == 0 && kind > 2:
		return "open", false
	case kind == 1:
		return "secret", true
	case kind == 2:
		if depth == 0 {
			return "secret", true
		}
		inner, _ := value(t, depth-1)
		return []any{inner, map[string]any{"secret": "secret"}}, true // marked as a whole
	case kind == 3:
		n := rapid.IntRange(0, 4).Draw(t, "length")
		list, marks := make([]any, n), make([]any, n)
		for i := range list {
			list[i], marks[i] = value(t, depth-1)
		}
		return list, marks
	default:
		object, marks := map[string]any{}, map[string]any{}
		for i := range rapid.IntRange(0, 4).Draw(t, "size") {
			key := string(rune('a' + i))
			inner, mark := value(t, depth-1)
			object[key] = inner
			if mark != false || rapid.Bool().Draw(t, "said") { // engines leave out what is not sensitive
				marks[key] = mark
			}
		}
		return object, marks
	}
}

func TestNoSecretOfAnyShapeIsShown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, beforeMark := value(t, 4)
		after, afterMark := value(t, 4)
		change := map[string]any{"actions": []string{"update"}, "before": before, "before_sensitive": beforeMark, "after": after, "after_sensitive": afterMark}
		data, err := json.Marshal(map[string]any{"format_version": "1.2", "resource_changes": []any{map[string]any{"address": "x", "change": change}}, "output_changes": map[string]any{"x": change}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := stack.ReadPlan(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []stack.Change{p.Changes[0], p.Outputs[0]} {
			shown, err := json.Marshal([]any{c.Before, c.After})
			if err != nil {
				t.Fatal(err)
			}
			hidden := strings.Contains(string(mustJSON(t, []any{before, after})), "secret")
			if strings.Contains(string(shown), `"secret"`) {
				t.Fatalf("%s shows a secret of %s", shown, data)
			}
			if hidden != c.Sensitive {
				t.Fatalf("marked as sensitive: %t, and the values have secrets: %t: %s", c.Sensitive, hidden, data)
			}
			if opens := strings.Count(string(shown), `"open"`); !hidden && opens != strings.Count(string(mustJSON(t, []any{before, after})), `"open"`) {
				t.Fatalf("%s lacks something of %s", shown, data)
			}
		}
	})
}

func mustJSON(t interface{ Fatal(args ...any) }, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzReadPlan feeds anything; the seeds are plans of the corpus too, where it is there.
func FuzzReadPlan(f *testing.F) {
	f.Add(planned)
	files, err := filepath.Glob("../../../../shared/corpus/tofu/*/plan*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := stack.ReadPlan(data)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not about the input", err)
			}
			return
		}
		if _, err := json.Marshal(p); err != nil {
			t.Errorf("a plan that was read can't be shown: %v", err)
		}
		_ = p.Summary.String()
	})
}
