package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// written reads a policy as it was written for Spacelift.
func written(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "spacelift", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPoliciesOfSpaceliftDecideAsTheyAre(t *testing.T) {
	t.Parallel()
	b := one(t)
	decide := func(point, file, input string) policy.Decision {
		t.Helper()
		b.attach("default", "p", point, written(t, file))
		return b.decide(point, "default", input)
	}
	d := decide("push", "push/monorepo.rego", `{"push": {"branch": "idea", "affected_files": ["infra/a.tf"], "tag": ""}, "pull_request": {"id": 7, "closed": false},
		"in_progress": [{"id": "run_1", "type": "PROPOSED", "branch": "idea"}, {"id": "run_2", "type": "TRACKED", "branch": "idea"}],
		"stack": {"branch": "main", "project_root": "infra", "labels": ["urgent"]}}`)
	if !d.Holds("propose") || d.Holds("track") || d.Holds("ignore") || !d.Holds("prioritize") || !reflect.DeepEqual(d.Names("cancel"), []string{"run_1"}) || !reflect.DeepEqual(d.Names("lock"), []string{"proposal-7"}) {
		t.Errorf("the push gives %v, cancels %v, locks %v", d.Outcome, d.Names("cancel"), d.Names("lock"))
	}
	d = decide("push", "push/monorepo.rego", `{"push": {"branch": "main", "affected_files": ["docs/a.md"], "tag": ""}, "stack": {"branch": "main", "project_root": "infra", "labels": []}}`)
	if !d.Holds("ignore") || !reflect.DeepEqual(d.Names("message"), []string{"nothing here concerns this stack"}) {
		t.Errorf("a push elsewhere gives %v", d.Outcome)
	}
	d = decide("login", "login/teams.rego", `{"session": {"member": true, "teams": ["platform"]}, "spaces": [{"id": "default"}, {"id": "payments"}]}`)
	if roles := d.Given("roles"); !d.Holds("allow") || !d.Holds("admin") || d.Denied() || len(roles) != 1 || fmt.Sprint(roles[0].Value) != "map[default:[reader] payments:[reader]]" {
		t.Errorf("the login gives %v with %v", d.Outcome, d.Given("roles"))
	}
	d = decide("trigger", "trigger/labels.rego", `{"run": {"state": "FINISHED", "type": "TRACKED"}, "stack": {"id": "net"}, "stacks": [{"id": "a", "labels": ["depends-on:net"]}, {"id": "b", "labels": ["depends-on:net"]}, {"id": "c", "labels": []}]}`)
	if !reflect.DeepEqual(d.Names("trigger"), []string{"a", "b"}) || d.SpaceOf("policy:default/p") != "default" {
		t.Errorf("the end of a run triggers %v", d.Names("trigger"))
	}
	d = decide("notification", "notification/failures.rego", `{"run_updated": {"run": {"id": "run_1", "state": "FAILED"}, "stack": {"id": "net"}}, "webhook_endpoints": [{"id": "hook"}]}`)
	if given := d.Given("inbox"); len(given) != 1 || given[0].Value.(map[string]any)["body"] != "run_1 of net" || len(d.Given("webhook")) != 1 {
		t.Errorf("a failure gives %v", d.Votes)
	}
	d = decide("approval", "approval/security.rego", `{"run": {"type": "TRACKED"}, "reviews": {"current": {"approvals": [{"author": "pri_a", "session": {"teams": ["security"]}}], "rejections": []}}}`)
	if !d.Holds("approve") || d.Holds("reject") {
		t.Errorf("the approval gives %v", d.Outcome)
	}
	d = decide("plan", "plan/blast_radius.rego", `{"spacelift": {"run": {"type": "TRACKED"}}, "terraform": {"resource_changes": [{"address": "database.a", "type": "database", "change": {"actions": ["delete", "create"]}}, {"address": "b.b", "type": "b", "change": {"actions": ["delete"]}}]}}`)
	want(t, d, map[string][]string{"deny": {"replacing costs an outage"}, "warn": {"the change reaches too far (7 of 5)"}})
	for _, at := range []string{"initialization", "task"} {
		b.attach("default", "p", at, "package spacelift\ndeny[\"not on a Friday\"] { input.request.timestamp_ns == 5 }")
		want(t, b.decide(at, "default", `{"request": {"timestamp_ns": 5}}`), map[string][]string{"deny": {"not on a Friday"}})
	}
}

func TestARuleThatGivesTooMuchIsDenied(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attach("default", "p", "trigger", `package spacelift
trigger contains sprintf("%050d-%d", [x, x]) if some x in numbers.range(1, 9000)`)
	d := b.decide("trigger", "default", `{}`)
	if !d.Denied() || len(d.Names("trigger")) != 0 || !strings.Contains(d.Outcome["deny"][0], "more than 256 KiB") {
		t.Errorf("gave %d names and %v", len(d.Names("trigger")), d.Outcome["deny"])
	}
}

func TestPoliciesAttachByLabelAndByName(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		apply := func(name string, more map[string]any) {
			spec := map[string]any{"point": "plan", "rego": fmt.Sprintf("package spacelift\nwarn[%q] { true }", name)}
			for key, value := range more {
				spec[key] = value
			}
			b.apply("default", document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: name}, Spec: spec})
		}
		apply("everywhere", nil)
		apply("star", map[string]any{"labels": []any{"autoattach:*", "team-a"}})
		apply("production", map[string]any{"labels": []any{"autoattach:production"}})
		apply("either", map[string]any{"attach": map[string]any{"labels": []any{"staging"}, "stacks": []any{"net", "other/db"}}})
		for _, c := range []struct {
			subject string
			labels  []string
			want    string
		}{
			{"stack:default/shop", nil, "everywhere star"},
			{"stack:default/shop", []string{"production"}, "everywhere production star"},
			{"stack:default/shop", []string{"staging", "team-a"}, "either everywhere star"},
			{"stack:default/net", nil, "either everywhere star"},
			{"stack:other/db", []string{"production"}, "either everywhere production star"},
			{"stack:other/net", nil, "everywhere star"},
		} {
			d, err := b.s.Decide(system(), "plan", "payments", json.RawMessage(`{}`), policy.Refs{Run: "run_a", Subject: c.subject, Labels: c.labels})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.Join(d.Policies, " "), "policy:default/", "")
			if got != c.want {
				t.Errorf("%s with %v is asked of %q; want %q", c.subject, c.labels, got, c.want)
			}
		}
		r, err := b.s.Replay(system(), policy.Candidate{Policy: "production", Rego: "package spacelift\nwarn[\"other\"] { true }"}, policy.Filter{}, "")
		if err != nil || r.Examined != 2 || len(r.Changed) != 2 {
			t.Errorf("a replay examines %+v, %v; want those with the label", r, err)
		}
		all, err := b.s.Policies(system(), "plan", "default", page.Request{Limit: 3})
		if err != nil || len(all.Items) != 3 || all.Next == "" || !reflect.DeepEqual(all.Items[0].Subjects, []string{"stack:default/net", "stack:other/db"}) {
			t.Errorf("the list is %+v, %v", all, err)
		}
	})
	b := one(t)
	for name, spec := range map[string]map[string]any{
		"an empty label": {"attach": map[string]any{"labels": []any{""}}},
		"no stack":       {"attach": map[string]any{"stacks": []any{"a/b/c/d"}}},
		"unknown":        {"attach": map[string]any{"clusters": []any{"a"}}},
	} {
		spec["point"], spec["rego"] = "plan", "package spacelift\nwarn[\"x\"] { true }"
		if wrong := b.kind.Validate(document.Document{Kind: "Policy", Metadata: document.Metadata{Name: "x"}, Spec: spec}); len(wrong) == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConsultRecordsNothingWithoutAPolicy(t *testing.T) {
	t.Parallel()
	b := one(t)
	asks := 0
	consult := func() (policy.Decision, bool) {
		t.Helper()
		d, asked, err := b.s.Consult(system(), "push", "payments", policy.Refs{Run: "run_c"}, func() (any, error) { asks++; return map[string]any{"x": 1}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return d, asked
	}
	if d, asked := consult(); asked || asks != 0 || d.ID != "" {
		t.Errorf("without a policy: %+v", d)
	}
	b.attach("default", "p", "push", "package spacelift\ntrack { input.x == 1 }")
	if d, asked := consult(); !asked || asks != 1 || !d.Holds("track") {
		t.Errorf("with a policy: %+v", d)
	}
	if all, err := b.s.ListDecisions(system(), "run_c"); err != nil || len(all) != 1 {
		t.Errorf("recorded %v, %v", all, err)
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	b := one(t)
	admits := func(input string) error {
		_, err := b.s.Admits(system(), "pri_a", func() (any, error) { return json.RawMessage(input), nil })
		return err
	}
	if err := admits(`{}`); err != nil {
		t.Errorf("without policies: %v", err)
	}
	b.attach("payments", "elsewhere", "login", "package spacelift\ndeny { true }")
	if err := admits(`{}`); err != nil {
		t.Errorf("a policy of a lower space: %v", err)
	}
	b.attach("default", "teams", "login", written(t, "login/teams.rego"))
	for input, allowed := range map[string]bool{
		`{"session": {"member": true, "teams": []}}`:              true,
		`{"session": {"member": false, "teams": ["platform"]}}`:   true,
		`{"session": {"member": true, "teams": ["contractors"]}}`: false,
		`{"session": {"member": false, "teams": []}}`:             false,
	} {
		if err := admits(input); (err == nil) != allowed || err != nil && !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v", input, err)
		}
	}
}

func TestTryingACandidate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "limit", "plan", "package roadbed.plan\ndeny contains \"too many\" if input.n > 10")
		b.attach("payments", "also", "plan", "package roadbed.plan\nwarn contains \"always\"")
		d := b.decide("plan", "payments", `{"n": 8}`)
		stricter := policy.Candidate{Policy: "limit", Rego: "package roadbed.plan\ndeny contains \"too many\" if input.n > 7"}
		got, err := b.s.Try(system(), stricter, d.ID, nil)
		if err != nil || !reflect.DeepEqual(got.Outcome, map[string][]string{"deny": {"too many"}, "warn": {"always"}}) || !reflect.DeepEqual(got.Before, map[string][]string{"warn": {"always"}}) {
			t.Errorf("gave %+v, %v", got, err)
		}
		got, err = b.s.Try(system(), stricter, "", json.RawMessage(`{"n": 9}`))
		if err != nil || len(got.Vote.Says["deny"]) != 1 || got.Before != nil {
			t.Errorf("of an input of one's own: %+v, %v", got, err)
		}
		if _, err := b.s.Try(system(), stricter, d.ID, json.RawMessage(`{}`)); !fault.Is(err, fault.Invalid) {
			t.Errorf("of both: %v", err)
		}
		if all, err := b.s.ListDecisions(system(), "run_x"); err != nil || len(all) != 1 {
			t.Errorf("trying recorded %v, %v", all, err)
		}
		b.Apply("default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: tester}, spec: {permissions: ['policy:*']}}")
		b.Bind("tester", "search", "user:default/alice")
		b.Bind("reader", "payments", "user:default/bob")
		if _, err := b.s.Try(accesstest.As("alice"), stricter, d.ID, nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice tries a decision of payments: %v", err)
		}
		if _, err := b.s.Try(accesstest.As("bob"), stricter, d.ID, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("bob, who may only read: %v", err)
		}
		for who, names := range map[string]string{"alice": "limit", "bob": "also limit", "carol": ""} {
			list, err := b.s.Policies(accesstest.As(who), "", "", page.Request{})
			var got []string
			for _, p := range list.Items {
				got = append(got, strings.TrimPrefix(p.Ref, "policy:default/"))
			}
			if err != nil || strings.Join(got, " ") != names {
				t.Errorf("%s sees %v, %v; want %s", who, got, err, names)
			}
		}
		if _, err := b.s.GetPolicy(accesstest.As("alice"), "also"); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice gets a policy of payments: %v", err)
		}
	})
}

// TestReplayGoesThroughAllDecisions takes them in parts, and misses and doubles none.
func TestReplayGoesThroughAllDecisions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.attach("default", "limit", "plan", "package roadbed.plan\ndeny contains \"too many\" if input.n > 1000")
		for n := range 450 {
			b.decide("plan", "payments", fmt.Sprintf(`{"n": %d}`, n))
		}
		candidate := policy.Candidate{Policy: "limit", Rego: "package roadbed.plan\ndeny contains \"too many\" if input.n % 2 == 0"}
		seen, looked, cursor, total := map[string]bool{}, 0, "", 0
		for parts := 0; ; parts++ {
			r, err := b.s.Replay(system(), candidate, policy.Filter{Limit: 130}, cursor)
			if err != nil || parts > 5 {
				t.Fatalf("part %d: %v", parts, err)
			}
			total, looked = max(total, r.Total), looked+r.Looked
			for _, c := range r.Changed {
				if seen[c.Decision.ID] {
					t.Errorf("%s comes twice", c.Decision.ID)
				}
				seen[c.Decision.ID] = true
			}
			if cursor = r.Next; cursor == "" {
				break
			}
		}
		if len(seen) != 225 || looked != 450 || total != 450 {
			t.Errorf("%d change of %d of %d", len(seen), looked, total)
		}
		if _, err := b.s.Replay(system(), candidate, policy.Filter{}, "x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("a cursor of nobody: %v", err)
		}
	})
}

// TestReplayComparesWhatIsGivenInFull sees a change behind the words that people are shown.
func TestReplayComparesWhatIsGivenInFull(t *testing.T) {
	t.Parallel()
	b := one(t)
	rego := func(end string) string {
		return fmt.Sprintf("package spacelift\ninbox contains {\"body\": %q, \"title\": %q}", strings.Repeat("x", 2000), end)
	}
	b.attach("default", "tell", "notification", rego("one"))
	b.decide("notification", "default", `{}`)
	for end, changes := range map[string]int{"one": 0, "two": 1} {
		r, err := b.s.Replay(system(), policy.Candidate{Policy: "tell", Rego: rego(end)}, policy.Filter{}, "")
		if err != nil || len(r.Changed) != changes {
			t.Errorf("%s: %d changes, %v", end, len(r.Changed), err)
		}
	}
}

func TestTestsOfFiles(t *testing.T) {
	t.Parallel()
	run := func(o policy.FileTests, paths ...string) (string, int, error) {
		var out bytes.Buffer
		o.Out = &out
		failed, err := policy.TestFiles(t.Context(), paths, o)
		return out.String(), failed, err
	}
	out, failed, err := run(policy.FileTests{}, "testdata/spacelift")
	if err != nil || failed != 0 || strings.TrimSpace(out) != "PASS: 20/20" {
		t.Errorf("all of Spacelift's style: %d failed, %v\n%s", failed, err, out)
	}
	out, failed, err = run(policy.FileTests{Verbose: true, Run: "databases"}, "testdata/spacelift/plan", "testdata/spacelift/lib")
	if err != nil || failed != 0 || !strings.Contains(out, "data.spacelift.test_databases_stay: PASS") || !strings.Contains(out, "PASS: 1/1") {
		t.Errorf("one of them: %v\n%s", err, out)
	}
	out, _, err = run(policy.FileTests{Coverage: true}, "testdata/spacelift/push")
	var covered struct {
		Coverage float64 `json:"coverage"`
	}
	if jsonErr := json.Unmarshal([]byte(out), &covered); err != nil || jsonErr != nil || covered.Coverage < 60 || covered.Coverage > 100 {
		t.Errorf("coverage: %v, %v\n%s", err, jsonErr, out)
	}
	if _, _, err = run(policy.FileTests{Threshold: 99.9}, "testdata/spacelift/push"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a threshold: %v", err)
	}

	folder := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policyFile := file("a.rego", "package spacelift\n\ndeny[\"no\"] { input.x == 1 }\n")
	testFile := file("a_test.rego", "package spacelift\n\ntest_wrong { deny[\"yes\"] with input as {\"x\": 1} }\n\ntest_right { deny[\"no\"] with input as {\"x\": 1} }\n\ntodo_test_later { false }\n")
	out, failed, err = run(policy.FileTests{Point: "plan"}, policyFile, testFile)
	if err != nil || failed != 1 || !strings.Contains(out, "a_test.rego:3:") || !strings.Contains(out, "test_wrong: FAIL") || !strings.Contains(out, "FAIL: 1/3") || !strings.Contains(out, "SKIPPED: 1/3") {
		t.Errorf("a failing test: %d failed, %v\n%s", failed, err, out)
	}
	if _, _, err = run(policy.FileTests{Point: "nowhere"}, folder); !fault.Is(err, fault.Invalid) {
		t.Errorf("at a point that there is not: %v", err)
	}
	for name, text := range map[string]string{
		"b_test.rego": "package spacelift\ntest_out { http.send({\"url\": \"http://x\", \"method\": \"get\"}).status_code == 200 }",
		"c_test.rego": "package spacelift\ntest_ {{",
		"d_test.rego": "package spacelift\ntest_slow { count(numbers.range(1, 100000000000)) == 0 }",
	} {
		path := file(name, text)
		out, failed, err := run(policy.FileTests{Timeout: 100_000_000}, path)
		if strings.HasPrefix(name, "d") {
			if err != nil || failed != 1 {
				t.Errorf("%s: %d failed, %v\n%s", name, failed, err, out)
			}
		} else if !fault.Is(err, fault.Invalid) || len(fault.Details(err)) == 0 || fault.Details(err)[0].File != path {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = run(policy.FileTests{}, filepath.Join(folder, "none")); !fault.Is(err, fault.Invalid) {
		t.Errorf("no such file: %v", err)
	}
	if _, _, err = run(policy.FileTests{}, policyFile); !fault.Is(err, fault.Invalid) {
		t.Errorf("without tests: %v", err)
	}
}
