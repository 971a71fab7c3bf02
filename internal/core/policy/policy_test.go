package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// bench is an installation with the spaces default, payments and search.
type bench struct {
	*accesstest.World
	t     *testing.T
	db    *store.DB
	s     *policy.Service
	kind  document.Kind
	blobs string // the folder of the blobs
}

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newBench(t, db)) },
		ledger.Migrations(), access.Migrations(), policy.Migrations())
}

func one(t *testing.T) *bench {
	t.Helper()
	return newBench(t, storetest.SQLite(t, ledger.Migrations(), access.Migrations(), policy.Migrations()))
}

func newBench(t *testing.T, db *store.DB) *bench {
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, time.Now, log)
	rights := access.New(db, book, time.Now, log)
	b := &bench{World: accesstest.New(t, db, rights), t: t, db: db, blobs: t.TempDir()}
	blobs, err := blob.OpenFiles(b.blobs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	b.s = policy.New(db, blobs, rights, book, time.Now, log)
	b.kind = policy.Kinds(b.s)[0]
	b.Space("payments", "default")
	b.Space("search", "default")
	return b
}

// attach applies a policy from a source in a space.
func (b *bench) attach(space, name, point, rego string) {
	b.t.Helper()
	d := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: name},
		Spec: map[string]any{"point": point, "rego": rego}}
	b.apply(space, d)
}

func (b *bench) apply(space string, d document.Document) {
	b.t.Helper()
	if wrong := b.kind.Validate(d); len(wrong) > 0 {
		b.t.Fatalf("%s is not valid: %v", d.Metadata.Name, wrong)
	}
	b.change(document.Change{Ref: d.Ref(), Space: space, New: &d})
}

func (b *bench) change(c document.Change) {
	b.t.Helper()
	err := b.db.Write(context.Background(), func(tx *store.Tx) error { return b.kind.Changed(context.Background(), tx, c) })
	if err != nil {
		b.t.Fatal(err)
	}
}

func system() context.Context { return actor.AsSystem(context.Background()) }

func (b *bench) decide(point, space string, input any) policy.Decision {
	b.t.Helper()
	if text, ok := input.(string); ok {
		input = json.RawMessage(text)
	}
	d, err := b.s.Decide(system(), point, space, input, policy.Refs{Run: "run_x", Subject: "stack:default/shop"})
	if err != nil {
		b.t.Fatalf("decide: %v", err)
	}
	return d
}

func want(t *testing.T, d policy.Decision, outcome map[string][]string) {
	t.Helper()
	if !reflect.DeepEqual(d.Outcome, outcome) {
		t.Errorf("the outcome is %v; want %v (votes %+v)", d.Outcome, outcome, d.Votes)
	}
}

func TestBothSyntaxesAndAllFormsOfAnswers(t *testing.T) {
	t.Parallel()
	b := one(t)
	for i, c := range []struct{ rego, rule, says string }{
		{"package roadbed.plan\ndeny contains \"no\" if input.x == 1", "deny", "no"},
		{"package roadbed\nimport rego.v1\ndeny contains \"no\" if input.x == 1", "deny", "no"},
		{"package spacelift\ndeny[\"no\"] { input.x == 1 }", "deny", "no"},
		{"package spacelift\nimport future.keywords.if\nimport future.keywords.contains\ndeny contains \"no\" if { input.x == 1 }", "deny", "no"},
		{"package spacelift\ndeny[sprintf(\"%d is no\", [x])] { x := input.x; any([x == 1, false]) }", "deny", "1 is no"},
		{"package roadbed.plan\ndeny := [\"no\", \"never\"]", "deny", "never|no"},
		{"package roadbed.plan\ndeny := {\"why\": \"no\", \"also\": true, \"not\": false}", "deny", "also|why: no"},
		{"package roadbed.plan\ndeny := \"no\" if input.x == 1", "deny", "no"},
		{"package roadbed.plan\ndeny if input.x == 1", "deny", "policy p"},
		{"package roadbed.plan\ndeny if input.x == 2", "deny", ""},
		{"package roadbed.plan\ndefault deny := false\ndeny if input.x == 2", "deny", ""},
		{"package roadbed.plan\nwarn contains {\"code\": 7} if input.x == 1", "warn", `{"code":7}`},
		{"package roadbed.plan\nwarn contains input.missing", "warn", ""},
	} {
		b.attach("default", "p", "plan", c.rego)
		got := strings.Join(b.decide("plan", "payments", `{"x": 1}`).Outcome[c.rule], "|")
		if got != c.says {
			t.Errorf("%d: %s says %q; want %q", i, c.rego, got, c.says)
		}
	}
}

func TestDecisionsUniteTheSpacesAbove(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		input := `{"x": 1}`
		want(t, b.decide("plan", "payments", input), map[string][]string{})
		b.attach("default", "root", "plan", "package roadbed.plan\nwarn contains \"from the root\"")
		b.attach("payments", "own", "plan", "package roadbed.plan\ndeny contains \"from payments\"\nwarn contains \"too\"")
		b.attach("search", "other", "plan", "package roadbed.plan\ndeny contains \"from search\"")
		b.attach("default", "elsewhere", "push", "package roadbed.push\nignore if true")
		d := b.decide("plan", "payments", input)
		want(t, d, map[string][]string{"deny": {"from payments"}, "warn": {"too", "from the root"}})
		if !reflect.DeepEqual(d.Policies, []string{"policy:default/own", "policy:default/root"}) {
			t.Errorf("asked %v", d.Policies)
		}
		want(t, b.decide("plan", "default", input), map[string][]string{"warn": {"from the root"}})

		disabled := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: "own"},
			Spec: map[string]any{"point": "plan", "disabled": true, "rego": "package roadbed.plan\ndeny contains \"from payments\""}}
		b.apply("payments", disabled)
		want(t, b.decide("plan", "payments", input), map[string][]string{"warn": {"from the root"}})
		b.change(document.Change{Ref: disabled.Ref(), Space: "payments", Old: &disabled})
		want(t, b.decide("plan", "payments", input), map[string][]string{"warn": {"from the root"}})

		if _, err := b.s.Decide(system(), "plan", "nowhere", nil, policy.Refs{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown space: %v", err)
		}
		if _, err := b.s.Decide(system(), "plans", "default", nil, policy.Refs{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("an unknown point: %v", err)
		}
	})
}

// A lenient policy of a lower space does not outvote a strict one above.
func TestGrantsNeedEveryPolicy(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attach("default", "strict", "approval", "package roadbed.approval\napprove if count(input.approvals) > 1")
	b.attach("payments", "lenient", "approval", "package roadbed.approval\napprove if true")
	b.attach("payments", "veto", "approval", "package roadbed.approval\nreject contains \"frozen\" if input.frozen")
	want(t, b.decide("approval", "payments", `{"approvals": [1]}`), map[string][]string{})
	want(t, b.decide("approval", "payments", `{"approvals": [1, 2]}`), map[string][]string{"approve": {"policy lenient", "policy strict"}})
	want(t, b.decide("approval", "payments", `{"approvals": [1, 2], "frozen": true}`), map[string][]string{"reject": {"frozen"}})
}

func TestWhatCantBeDecidedIsDenied(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attach("default", "grants", "approval", "package roadbed.approval\napprove if true")
	b.attach("default", "torn", "approval", "package roadbed.approval\napprove := x if x := input.all[_]")
	d := b.decide("approval", "payments", `{"all": [1, 2]}`)
	if len(d.Outcome["deny"]) != 1 || !strings.Contains(d.Outcome["deny"][0], "policy torn can't decide: line 2") || len(d.Outcome["approve"]) > 0 {
		t.Errorf("a conflict gives %v", d.Outcome)
	}
	b.attach("default", "failing", "plan", "package roadbed.plan\ndeny contains \"no\" if to_number(input.x) > 1")
	d = b.decide("plan", "payments", `{"x": "one"}`)
	if len(d.Outcome) != 0 || len(d.Votes[0].Notes) != 1 {
		t.Errorf("a built-in function that fails is undefined and noted: %+v", d)
	}
	d = b.decide("plan", "payments", map[string]any{"x": strings.Repeat("x", 33<<20)})
	if !d.Denied() || !strings.Contains(d.Outcome["deny"][0], "policies take 32") {
		t.Errorf("an input of 33 MB gives %v", d.Outcome)
	}
}

func TestHostilePoliciesAreBounded(t *testing.T) {
	t.Parallel()
	for name, rego := range map[string]string{
		"time":   "package roadbed.plan\ndeny contains \"x\" if { r := numbers.range(1, 3000); count([1 | some a in r; some b in r; some c in r; a + b + c == 0]) > 0 }",
		"range":  "package roadbed.plan\ndeny contains \"x\" if count(numbers.range(1, 100000000000)) == 0",
		"memory": "package roadbed.plan\ndeny contains \"x\" if { r := numbers.range(1, 20000); x := [[a, b] | some a in r; some b in r]; count(x) == 0 }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := one(t)
			b.attach("default", "hostile", "plan", rego)
			d := b.decide("plan", "payments", `{}`)
			if !d.Denied() || !strings.Contains(d.Outcome["deny"][0], "policy hostile can't decide: it ") {
				t.Errorf("the outcome is %v", d.Outcome)
			}
		})
	}
	b := one(t)
	b.attach("default", "chatty", "plan", "package roadbed.plan\ndeny contains sprintf(\"%d%s\", [n, input.long]) if some n in numbers.range(1, 5000)")
	d := b.decide("plan", "payments", map[string]any{"long": strings.Repeat("x", 5000)})
	if got := d.Outcome["deny"]; len(got) != 101 || got[100] != "and 4900 more" || len(got[0]) > 1010 {
		t.Errorf("%d messages, the last %q", len(got), got[len(got)-1])
	}
}

func TestTheCallersEndIsNoDecision(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attach("default", "slow", "plan", "package roadbed.plan\ndeny contains \"x\" if count(numbers.range(1, 100000000000)) == 0")
	ctx, cancel := context.WithTimeout(system(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.s.Decide(ctx, "plan", "payments", nil, policy.Refs{Run: "run_x"}); !fault.Is(err, fault.Canceled) {
		t.Errorf("gave %v; want canceled", err)
	}
	if all, err := b.s.ListDecisions(system(), "run_x"); err != nil || len(all) != 0 {
		t.Errorf("recorded %v, %v", all, err)
	}
}

func TestDocumentsAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	b := one(t)
	for _, c := range []struct {
		name, rego, message string
		line                int
	}{
		{"syntax", "package roadbed.plan\n\ndeny contains \"x\" if {\n  input.x ==\n}", "unexpected", 7 + 5},
		{"an unsafe variable", "package roadbed.plan\n\ndeny contains x if input.y", "unsafe", 7 + 3},
		{"old syntax that is wrong", "package spacelift\n\ndeny[x] { input.y }", "unsafe", 7 + 3},
		{"http", "package roadbed.plan\ndeny contains \"x\" if http.send({\"url\": \"http://x\", \"method\": \"get\"}).status_code == 1", "http.send", 7 + 2},
		{"the clock", "package roadbed.plan\nwarn contains \"x\"\ndeny contains \"x\" if time.now_ns() > 1", "time.now_ns", 7 + 3},
		{"the environment", "package roadbed.plan\ndeny contains \"x\" if opa.runtime().env.HOME", "opa.runtime", 7 + 2},
		{"the resolver", "package roadbed.plan\ndeny contains \"x\" if net.lookup_ip_addr(\"x\")", "net.lookup_ip_addr", 7 + 2},
		{"the parser", "package roadbed.plan\ndeny contains \"x\" if rego.parse_module(\"x\", \"package x\")", "rego.parse_module", 7 + 2},
		{"tracing", "package roadbed.plan\ndeny contains \"x\" if trace(\"x\")", "trace", 7 + 2},
		{"dice", "package roadbed.plan\ndeny contains \"x\" if rand.intn(\"x\", 5) == 1", "rand.intn", 7 + 2},
		{"a huge shift", "package roadbed.plan\ndeny contains \"x\" if bits.lsh(1, 99999999999) == 1", "bits.lsh", 7 + 2},
		{"a huge number", "package roadbed.plan\ndeny contains \"x\" if 1e500 * 2 == 1", "too large", 7 + 2},
		{"another package", "package main\ndeny contains \"x\"", "package main is not asked", 7 + 1},
		{"another point's package", "package roadbed.push\ndeny contains \"x\"", "package roadbed.push is not asked", 7 + 1},
		{"no rule that is asked", "package roadbed.plan\ndenied contains \"x\"", "none of the rules", 7 + 1},
		{"deep nesting", "package roadbed.plan\ndeny contains " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "deep", 7},
	} {
		text := "apiVersion: roadbed.dev/v1\nkind: Policy\nmetadata:\n  name: x\nspec:\n  point: plan\n  rego: |\n    " + strings.ReplaceAll(c.rego, "\n", "\n    ") + "\n"
		docs, err := document.Parse("policies/x.yaml", []byte(text), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		wrong := b.kind.Validate(docs[0])
		if len(wrong) == 0 {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if d := wrong[0]; d.File != "policies/x.yaml" || d.Line != c.line || !strings.Contains(d.Message, c.message) {
			t.Errorf("%s: %s; want line %d and %q", c.name, d, c.line, c.message)
		}
	}
	for name, spec := range map[string]map[string]any{
		"no point":         {"rego": "package roadbed.plan"},
		"no rego":          {"point": "plan"},
		"an unknown field": {"point": "plan", "rego": "package roadbed.plan\ndeny if false", "regex": "x"},
		"an empty module":  {"point": "plan", "rego": "# nothing"},
		"too long":         {"point": "plan", "rego": "package roadbed.plan\n# " + strings.Repeat("x", 300<<10)},
	} {
		if wrong := b.kind.Validate(document.Document{Kind: "Policy", Metadata: document.Metadata{Name: "x"}, Spec: spec}); len(wrong) == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDecisionsAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("payments", "own", "plan", "package roadbed.plan\ndeny contains input.terraform.resource_changes[_].change.after.password")
		secret := "hunter2"
		plan := map[string]any{
			"padding": strings.Repeat("x", 5000), // so that it is kept as a blob
			"terraform": map[string]any{
				"variables":     map[string]any{"token": map[string]any{"value": secret}, "region": map[string]any{"value": "eu"}},
				"configuration": map[string]any{"root_module": map[string]any{"variables": map[string]any{"token": map[string]any{"sensitive": true, "default": secret}}}},
				"resource_changes": []any{map[string]any{"address": "a.b", "change": map[string]any{
					"actions": []any{"update"},
					"before":  map[string]any{"password": secret, "list": []any{"open", secret}}, "before_sensitive": map[string]any{"password": true, "list": []any{false, true}},
					"after": map[string]any{"password": secret, "name": "open"}, "after_sensitive": map[string]any{"password": true}}}},
				"planned_values": map[string]any{"outputs": map[string]any{"key": map[string]any{"sensitive": true, "value": secret}},
					"root_module": map[string]any{"resources": []any{map[string]any{"values": map[string]any{"password": secret}, "sensitive_values": map[string]any{"password": true}}}}},
				"output_changes": map[string]any{"key": map[string]any{"before": nil, "after": secret, "before_sensitive": false, "after_sensitive": true}},
			},
		}
		d := b.decide("plan", "payments", plan)
		want(t, d, map[string][]string{"deny": {"(sensitive)"}})
		if plan["terraform"].(map[string]any)["variables"].(map[string]any)["token"].(map[string]any)["value"] != secret {
			t.Error("the caller's own value was changed")
		}
		b.Bind("reader", "payments", "user:default/alice")
		got, input, err := b.s.GetDecision(accesstest.As("alice"), d.ID)
		if err != nil || !reflect.DeepEqual(got.Outcome, d.Outcome) || got.Digest != d.Digest || !got.Time.Equal(d.Time.Truncate(time.Microsecond)) {
			t.Fatalf("recorded %+v, %v; want %+v", got, err, d)
		}
		if bytes.Contains(input, []byte(secret)) || !bytes.Contains(input, []byte("open")) || bytes.Count(input, []byte("(sensitive)")) != 8 {
			t.Errorf("the recorded input is %s", input[5000:])
		}
		b.noFileHas(secret)
		if _, _, err := b.s.GetDecision(accesstest.As("bob"), d.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("bob reads it: %v", err)
		}
		small := b.decide("plan", "payments", `{"small": 1}`)
		if _, input, err := b.s.GetDecision(accesstest.As("alice"), small.ID); err != nil || string(input) != `{"small":1}` {
			t.Errorf("the small input is %s, %v", input, err)
		}
		list, err := b.s.ListDecisions(accesstest.As("alice"), "run_x")
		if err != nil || len(list) != 2 || list[0].ID != d.ID || list[1].ID != small.ID {
			t.Errorf("the run's decisions are %v, %v", list, err)
		}
		if list, err := b.s.ListDecisions(accesstest.As("bob"), "run_x"); err != nil || len(list) != 0 {
			t.Errorf("bob lists %v, %v", list, err)
		}
		page, err := b.s.Decisions(accesstest.As("alice"), policy.Filter{Point: "plan", Before: small.ID, Limit: 5})
		if err != nil || len(page) != 1 || page[0].ID != d.ID {
			t.Errorf("the second page is %v, %v", page, err)
		}
	})
}

// noFileHas looks for a secret in every blob.
func (b *bench) noFileHas(secret string) {
	b.t.Helper()
	files := 0
	err := filepath.WalkDir(b.blobs, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) {
			b.t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil || files == 0 {
		b.t.Errorf("looked into %d files: %v", files, err)
	}
}

func TestReplayTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "limit", "plan", "package roadbed.plan\ndeny contains \"too many\" if input.n > 10")
		b.attach("payments", "also", "plan", "package roadbed.plan\nwarn contains \"always\"")
		for n := range 20 {
			b.decide("plan", "payments", fmt.Sprintf(`{"n": %d, "padding": %q}`, n, strings.Repeat("x", n*500)))
			b.decide("plan", "search", fmt.Sprintf(`{"n": %d}`, n))
		}
		b.decide("push", "payments", `{"n": 100}`)
		replay := func(ctx context.Context, c policy.Candidate) policy.Replayed {
			t.Helper()
			r, err := b.s.Replay(ctx, c, policy.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		same := replay(system(), policy.Candidate{Policy: "limit"})
		if same.Examined != 40 || len(same.Changed) != 0 || same.Failed+same.Skipped != 0 {
			t.Errorf("the same policy over its own history: %+v", same)
		}
		stricter := "package roadbed.plan\ndeny contains \"too many\" if input.n > 7"
		r := replay(system(), policy.Candidate{Policy: "policy:default/limit", Rego: stricter})
		if r.Examined != 40 || len(r.Changed) != 6 {
			t.Errorf("a stricter limit changes %d of %d", len(r.Changed), r.Examined)
		}
		for _, c := range r.Changed {
			if len(c.Before["deny"]) != 0 || len(c.After["deny"]) != 1 || c.Decision.Space == "payments" && len(c.After["warn"]) != 1 {
				t.Errorf("from %v to %v", c.Before, c.After)
			}
		}
		further := replay(system(), policy.Candidate{Space: "search", Point: "plan", Rego: "package roadbed.plan\ndeny contains \"odd\" if input.n % 2 == 1"})
		if further.Examined != 20 || len(further.Changed) != 10 {
			t.Errorf("a further policy in search changes %d of %d", len(further.Changed), further.Examined)
		}
		if after, err := b.s.ListDecisions(system(), "run_x"); err != nil || len(after) != 41 {
			t.Errorf("a replay recorded something: %d, %v", len(after), err)
		}

		b.Apply("default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: tester}, spec: {permissions: ['policy:*']}}")
		b.Bind("tester", "search", "user:default/alice")
		b.Bind("reader", "payments", "user:default/alice", "user:default/bob")
		if mine := replay(accesstest.As("alice"), policy.Candidate{Policy: "limit", Rego: stricter}); mine.Examined != 20 || len(mine.Changed) != 3 {
			t.Errorf("alice examines %d, sees %d changes", mine.Examined, len(mine.Changed))
		}
		if _, err := b.s.Replay(accesstest.As("alice"), policy.Candidate{Policy: "also"}, policy.Filter{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice replays a policy of payments: %v", err)
		}
		if _, err := b.s.Replay(accesstest.As("bob"), policy.Candidate{Policy: "limit"}, policy.Filter{}); !fault.Is(err, fault.Denied) {
			t.Errorf("bob replays: %v", err)
		}
		if _, err := b.s.Replay(system(), policy.Candidate{Policy: "limit", Rego: "package roadbed.plan\ndeny contains"}, policy.Filter{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a broken candidate: %v", err)
		}
	})
}

func TestTestsOfPolicies(t *testing.T) {
	t.Parallel()
	b := one(t)
	source := "package roadbed.plan\ndeny contains \"no\" if input.x == 1\ntest_own if true"
	tests := `package roadbed.plan_test

import data.roadbed.plan

test_denies if "no" in plan.deny with input as {"x": 1}

test_fails if "no" in plan.deny with input as {"x": 2}

test_loops if count(numbers.range(1, 100000000000)) == 0

helper := 1`
	results, err := b.s.Test(system(), source, tests)
	if err != nil || len(results) != 4 {
		t.Fatalf("gave %+v, %v", results, err)
	}
	if !results[0].Passed || !results[1].Passed || results[2].Passed || results[2].Error != "" || results[3].Passed || results[3].Error == "" {
		t.Errorf("the results are %+v", results)
	}
	if r := results[2]; r.Name != "roadbed.plan_test.test_fails" || r.Line != 7 {
		t.Errorf("the failing test is %+v", r)
	}
	old := "package spacelift\ndeny[\"no\"] { input.x == 1 }"
	if results, err := b.s.Test(system(), old, "package spacelift\ntest_it { deny[\"no\"] with input as {\"x\": 1} }"); err != nil || !results[0].Passed {
		t.Errorf("old syntax: %+v, %v", results, err)
	}
	_, err = b.s.Test(system(), source, "package x\n\ntest_a if {")
	if details := fault.Details(err); len(details) == 0 || details[0].File != "test_1.rego" {
		t.Errorf("a broken test: %v", err)
	}
	if _, err := b.s.Test(system(), source, "package x\ntest_a if http.send({})"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a test that reaches out: %v", err)
	}
	if _, err := b.s.Test(accesstest.As("alice"), source); !fault.Is(err, fault.Denied) {
		t.Errorf("without a right: %v", err)
	}
	if err := b.s.Check(system(), "plan", source); err != nil {
		t.Errorf("check: %v", err)
	}
}

func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		"package roadbed.plan\ndeny contains \"no\" if input.x == 1", "package spacelift\ndeny[\"no\"] { input.x }", "package roadbed.plan\nimport rego.v1\ndefault deny := {}",
		"package roadbed.plan\ndeny contains {\"a\": [1, {2}]}", "package x\n[[[[", "package roadbed.plan\n# METADATA\n# scope: rule\ndeny := 1e5",
	} {
		f.Add(seed)
	}
	kind := policy.Kinds(policy.New(nil, nil, nil, nil, time.Now, slog.New(slog.DiscardHandler)))[0]
	f.Fuzz(func(t *testing.T, rego string) {
		d := document.Document{Kind: "Policy", Metadata: document.Metadata{Name: "x"}, Spec: map[string]any{"point": "plan", "rego": rego}}
		for _, wrong := range kind.Validate(d) {
			if wrong.Message == "" {
				t.Errorf("%q is refused without a reason", rego)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	db := storetest.SQLite(b, ledger.Migrations(), access.Migrations(), policy.Migrations())
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, time.Now, log)
	blobs, err := blob.OpenFiles(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer blobs.Close()
	s := policy.New(db, blobs, access.New(db, book, time.Now, log), book, time.Now, log)
	for _, d := range policy.Shipped() {
		err := db.Write(context.Background(), func(tx *store.Tx) error {
			return policy.Kinds(s)[0].Changed(context.Background(), tx, document.Change{Ref: d.Ref(), Space: "default", New: &d})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	input := json.RawMessage(planned(many(50, `"create"`)...))
	for b.Loop() {
		if _, err := s.Decide(system(), "plan", "default", input, policy.Refs{}); err != nil {
			b.Fatal(err)
		}
	}
}
