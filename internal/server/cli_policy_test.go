package server

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// TestPoliciesFromTheTerminal lists, shows, tries and replays them.
func TestPoliciesFromTheTerminal(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	atTerminal(t, server.URL, h.Options.AdminToken)
	g.policy("limit", "plan", "deny[\"too many\"] { input.n > 10 }", "  labels: ['autoattach:production']\n")
	var last string
	for n := range 30 {
		refs := policy.Refs{Subject: "stack:default/net", Labels: []string{"production"}}
		d, err := h.Policy.Decide(actor.AsSystem(context.Background()), "plan", "default", map[string]int{"n": n}, refs)
		if err != nil {
			t.Fatal(err)
		}
		last = d.ID
	}
	file := filepath.Join(t.TempDir(), "limit.rego")
	if err := os.WriteFile(file, []byte("package spacelift\n\ndeny[\"too many\"] { input.n > 4 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(t.TempDir(), "input.json")
	if err := os.WriteFile(input, []byte(`{"n": 5}`), 0o600); err != nil {
		t.Fatal(err)
	}
	sayAll(t, []said{
		{"policy list --point plan", 0, "default/limit"},
		{"policy list --point plan", 0, "production"},
		{"policy show limit", 0, "input.n > 10"},
		{"policy show nothing", 4, "policy:default/nothing"},
		{"policy try " + file + " --replaces limit --decision " + last, 0, "deny: too many"},
		{"policy try " + file + " --point plan --input " + input, 0, "deny: too many"},
		{"policy try " + file, 1, "name a decision"},
		{"policy test ../core/policy/testdata/spacelift", 0, "PASS: 20/20"},
		{"policy test ../core/policy/testdata/spacelift --run nothing", 1, "there are no tests"},
		{"policy replay " + file + " --replaces limit", 0, "30 decisions examined, 6 would change"},
		{"policy replay --replaces limit --gone", 0, "30 decisions examined, 19 would change"},
		{"policy replay --replaces limit --attach-label test,production", 0, "30 decisions examined, 0 would change"},
		{"policy replay --replaces limit --attach-stack shop", 0, "30 decisions examined, 19 would change"},
		{"policy replay " + file + " --replaces limit --gone", 1, "name it alone"},
		{"policy replay", 1, "name the FILE"},
	})
	code, out, problem := say("policy replay " + file + " --replaces limit -o json")
	var r client.Replay
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Total != 30 || len(r.Changed) != 6 || strings.Contains(problem, "looked") {
		t.Errorf("programs are given %d, %+v, %v, %s", code, r, err, problem)
	}
}
