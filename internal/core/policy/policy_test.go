package policy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

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
		b.attach("default", "elsewhere", "deploy", "package roadbed.deploy\nreject if true")
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
	values := "package roadbed.plan\nv0 := [1]"
	for i := range 60 {
		values += fmt.Sprintf("\nv%d := [v%d, v%d]", i+1, i, i)
	}
	for name, rego := range map[string]string{
		"time":    "package roadbed.plan\ndeny contains \"x\" if { r := numbers.range(1, 3000); count([1 | some a in r; some b in r; some c in r; a + b + c == 0]) > 0 }",
		"range":   "package roadbed.plan\ndeny contains \"x\" if count(numbers.range(1, 100000000000)) == 0",
		"concat":  hostile(`s := concat("", ["` + strings.Repeat("x", 1000) + `" | some _ in numbers.range(1, 10000)]); count(concat(s, numbers_as_text)) == 0`),
		"double":  hostile(doubled(`concat("", [%[1]s, %[1]s])`, `"xxxxxxxx"`, 60)),
		"sprintf": hostile(`count(sprintf("%1000000000d", [1])) == 0`),
		"width":   hostile(`count(sprintf("%*d", [1000000000, 1])) == 0`),
		"again":   hostile(`s := concat("", ["x" | some _ in numbers.range(1, 10000)]); f := concat("", ["%[1]s" | some _ in numbers.range(1, 10000)]); count(sprintf(f, [s])) == 0`),
		"replace": hostile(doubled(`replace(%[1]s, "x", "xxxxxxxx")`, `"x"`, 30)),
		"regex":   hostile(doubled(`regex.replace(%[1]s, "x", "xxxxxxxx")`, `"x"`, 30)),
		"arrays":  hostile(doubled(`array.concat(%[1]s, %[1]s)`, `[1]`, 60)),
		"square":  hostile(doubled(`%[1]s * %[1]s`, `12345678901234567890`, 40)),
		"marshal": values + "\ndeny contains \"x\" if count(json.marshal(v60)) == 0",
		"result":  values + "\ndeny contains v60",
		"product": hostile(`product([n | some i in numbers.range(1, 3000); n := i + 1000000]) == 0`),
		"memory":  "package roadbed.plan\ndeny contains \"x\" if { r := numbers.range(1, 20000); x := [[a, b] | some a in r; some b in r]; count(x) == 0 }",
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

// hostile gives a policy with a rule.
func hostile(body string) string {
	return "package roadbed.plan\nnumbers_as_text := [\"a\" | some _ in numbers.range(1, 10000)]\ndeny contains \"x\" if { " + body + " }"
}

// doubled gives the steps v1 to vn, each of which makes something of the one before.
func doubled(step, first string, n int) string {
	lines := []string{"v0 := " + first}
	for i := range n {
		lines = append(lines, fmt.Sprintf("v%d := %s", i+1, fmt.Sprintf(step, fmt.Sprintf("v%d", i))))
	}
	return strings.Join(lines, "; ")
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

func TestDecisionsAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("payments", "own", "plan", "package roadbed.plan\ndeny contains input.terraform.resource_changes[_].change.after.password")
		secret := "hunter2"
		plan := map[string]any{
			"padding": unpackable(), // so that it is kept as a blob
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
			t.Errorf("the recorded input is %s", input)
		}
		b.noFileHas(secret)
		if _, _, err := b.s.GetDecision(accesstest.As("bob"), d.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("bob reads it: %v", err)
		}
		small := b.decide("plan", "payments", `{"small": 1}`)
		if _, input, err := b.s.GetDecision(accesstest.As("alice"), small.ID); err != nil || string(input) != `{"small":1}` {
			t.Errorf("the small input is %s, %v", input, err)
		}
		if n := len(b.kept()); n != 1 {
			t.Errorf("%d blobs are kept of one large input", n)
		}
		packs := `{"padding":"` + strings.Repeat("x", 50000) + `"}`
		if _, input, err := b.s.GetDecision(accesstest.As("alice"), b.decide("plan", "search", packs).ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice reads of another space %s, %v", input, err)
		}
		b.Bind("reader", "search", "user:default/carol")
		if _, input, err := b.s.GetDecision(accesstest.As("carol"), b.decide("plan", "search", packs).ID); err != nil || string(input) != packs {
			t.Errorf("the input that packs well is %.100s, %v", input, err)
		}
		if n := len(b.kept()); n != 1 {
			t.Errorf("an input that packs well is kept beside its row: %d blobs", n)
		}
		list, err := b.s.ListDecisions(accesstest.As("alice"), "run_x")
		if err != nil || len(list) != 2 || list[0].ID != d.ID || list[1].ID != small.ID {
			t.Errorf("the run's decisions are %v, %v", list, err)
		}
		if list, err := b.s.ListDecisions(accesstest.As("bob"), "run_x"); err != nil || len(list) != 0 {
			t.Errorf("bob lists %v, %v", list, err)
		}
		first, err := b.s.Decisions(accesstest.As("alice"), policy.Filter{Point: "plan"}, page.Request{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0].ID != small.ID {
			t.Errorf("the first page is %v, %v", first, err)
		}
		second, err := b.s.Decisions(accesstest.As("alice"), policy.Filter{Point: "plan"}, page.Request{Limit: 1, Cursor: first.Next})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID != d.ID || second.Next != "" {
			t.Errorf("the second page is %v, %v", second, err)
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

// unpackable gives text that packs badly.
func unpackable() string {
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "%x", sha256.Sum256(fmt.Append(nil, i)))
	}
	return text.String()
}

// kept lists the blobs.
func (b *bench) kept() []string {
	files, err := filepath.Glob(filepath.Join(b.blobs, "content", "*", "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}
