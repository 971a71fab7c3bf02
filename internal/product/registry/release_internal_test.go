package registry

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

// TestAPushIsAVersionWhereThePoliciesSaySo reads decisions.
func TestAPushIsAVersionWhereThePoliciesSaySo(t *testing.T) {
	t.Parallel()
	have := []Version{{Version: "1.0.0", Commit: "abc"}}
	for _, c := range []struct {
		has, holds, gives string // rules, and what module_version gives
		version, why      string
	}{
		{"module_version", "module_version", `"1.1.0"`, "1.1.0", ""},
		{"module_version track", "module_version track", `"1.1.0"`, "1.1.0", ""},
		{"module_version track propose", "module_version propose", `"1.1.0"`, "", ""},
		{"module_version track ignore", "module_version track ignore", `"1.1.0"`, "", ""},
		{"module_version track ignore_track", "module_version track ignore_track", `"1.1.0"`, "", ""},
		{"module_version notrigger", "module_version notrigger", `"1.1.0"`, "", ""},
		{"module_version track", "track", ``, "", ""},
		{"module_version", "module_version", `"1.0.0"`, "", "never changes"},
		{"module_version", "module_version", `"next"`, "", "no version"},
		{"module_version", "module_version", `["1.1.0", "1.2.0"]`, "", "several versions: 1.1.0, 1.2.0"},
		{"module_version", "module_version", `["1.1.0"]`, "1.1.0", ""},
		{"module_version fail message", "module_version fail message", `"1.1.0"`, "", "fails it"},
		{"module_version deny", "module_version deny", `"1.1.0"`, "", "denies"},
	} {
		d := policy.Decision{Outcome: map[string][]string{}, Votes: []policy.Vote{{Policy: "policy:default/p", Rules: strings.Fields(c.has)}}}
		for _, rule := range strings.Fields(c.holds) {
			d.Outcome[rule] = []string{"it is so"}
		}
		if c.gives != "" {
			d.Votes[0].Gives = map[string]json.RawMessage{ruleVersion: json.RawMessage(c.gives)}
		}
		if version, why := versionBy(d, []Version{{Version: "1.1.0", Commit: "def"}}, "def"); c.version == "1.1.0" && version+why != "" {
			t.Errorf("what is made already is %q, because %q", version, why)
		}
		version, why := versionBy(d, have, "def")
		if version != c.version || (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s of %s with %s gives %q, because %q; want %q, %q", c.holds, c.has, c.gives, version, why, c.version, c.why)
		}
	}
}
