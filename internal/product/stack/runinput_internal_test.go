package stack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
)

// TestWhatAPlanDoesIsToldInSpaceliftsWords, and what the values of it are, as long as they are few and not secret.
func TestWhatAPlanDoesIsToldInSpaceliftsWords(t *testing.T) {
	t.Parallel()
	const plan = `{"format_version": "1.2", "resource_changes": [
{"address": "a.new", "type": "a", "name": "new", "change": {"actions": ["create"], "after": {"key": "k", "size": 1}, "after_sensitive": {"key": true}}},
{"address": "a.same", "type": "a", "name": "same", "change": {"actions": ["no-op"]}},
{"address": "a.gone", "type": "a", "name": "gone", "change": {"actions": ["delete"], "before": {"size": 1}}},
{"address": "a.again", "type": "a", "name": "again", "change": {"actions": ["delete", "create"]}},
{"address": "a.first", "type": "a", "name": "first", "change": {"actions": ["create", "delete"]}},
{"address": "a.there", "type": "a", "name": "there", "change": {"actions": ["no-op"], "importing": {"id": "i-1"}}},
{"address": "a.left", "type": "a", "name": "left", "change": {"actions": ["forget"]}},
{"address": "a.to", "previous_address": "a.from", "type": "a", "name": "to", "change": {"actions": ["no-op"]}},
{"address": "data.a.read", "type": "a", "name": "read", "mode": "data", "change": {"actions": ["read"]}}],
"output_changes": {"id": {"actions": ["update"], "after": "i-2"}, "same": {"actions": ["no-op"]}}`
	p, err := ReadPlan([]byte(plan + "}"))
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(p.brief())
	if err != nil {
		t.Fatal(err)
	}
	var changes []struct {
		Action, Phase string
		Moved         bool
		Entity        struct {
			Address, Name, Type string
			As                  string `json:"entity_type"`
			Vendor              string `json:"entity_vendor"`
			Data                struct{ Values any }
		}
	}
	if err := json.Unmarshal(told, &changes); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range changes {
		line := c.Action + " " + c.Entity.Address
		if c.Moved {
			line += " moved"
		}
		if c.Phase != "plan" || c.Entity.Vendor != "terraform" || c.Entity.As == "output" != (c.Entity.Type == "output") {
			t.Errorf("%s is told as %+v", line, c)
		}
		all = append(all, line)
	}
	want := "added a.new, deleted a.gone, destroy-Before-create-replaced a.again, create-Before-destroy-replaced a.first, import a.there, forget a.left, changed a.to moved, changed output.id"
	if got := strings.Join(all, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if values, _ := json.Marshal(changes[0].Entity.Data.Values); string(values) != `{"key":"(sensitive value)","size":1}` {
		t.Errorf("the values are %s", values)
	}
	large, err := ReadPlan([]byte(plan + `, "variables": {"x": {"value": "` + strings.Repeat("x", mostValues) + `"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if told, err := json.Marshal(large.brief()); err != nil || strings.Contains(string(told), "values") || !strings.Contains(string(told), "a.new") {
		t.Errorf("of a large plan it is %s, %v", told, err)
	}
}

// TestStatesAndTypesAreSpacelifts where they are told to policies.
func TestStatesAndTypesAreSpacelifts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, state, reason, wantType, wantState string }{
		{Tracked, judging, "", "TRACKED", "PLANNING"},
		{Tracked, applying, "", "TRACKED", "APPLYING"},
		{Destroy, applying, "", "DESTROY", "DESTROYING"},
		{Drift, planning, "", "PROPOSED", "PLANNING"},
		{Proposed, pending, "", "PROPOSED", "PENDING_REVIEW"},
		{Task, canceled, stoppedWhile + performing, "TASK", "STOPPED"},
		{Task, canceled, "canceled", "TASK", "CANCELED"},
		{Tracked, failed, stoppedWhile + "it stood", "TRACKED", "FAILED"},
	} {
		got := [2]string{typeInput(c.kind), stateInput(run.Run{State: c.state, Reason: c.reason}, c.kind)}
		if want := [2]string{c.wantType, c.wantState}; got != want {
			t.Errorf("%s, %s (%s) is told as %q, want %q", c.kind, c.state, c.reason, got, want)
		}
	}
	for data, want := range map[string]string{
		`{"fields": ["title"]}`:                            "edited",
		`{"fields": ["title", "labels"], "labeled": true}`: "edited", // it may call for a plan
		`{"fields": ["labels"], "labeled": true}`:          "labeled",
		`{"fields": ["labels"], "labeled": false}`:         "unlabeled",
		`7`: "edited",
	} {
		if got := editedAs(json.RawMessage(data)); got != want {
			t.Errorf("%s is %s, want %s", data, got, want)
		}
	}
	for local, want := range map[bool]string{true: "true", false: "false"} {
		told := spacelift(&run.Run{}, Input{Type: Drift, Local: local})
		if told["TF_VAR_spacelift_local_preview"] != want || told["TF_VAR_spacelift_run_type"] != "PROPOSED" || told["ROADBED_RUN_TYPE"] != Drift {
			t.Errorf("steps are told %v", told)
		}
	}
	for _, c := range [][2]string{{Drift, "spacelift/schedules/drift"}, {Tracked, "spacelift/schedules/run"}} {
		if got := (Schedule{Do: c[0]}).triggers(); got != c[1] {
			t.Errorf("a schedule of %s is %s", c[0], got)
		}
	}
}
