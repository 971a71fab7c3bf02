package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
)

func (b *bench) attachShipped() {
	b.t.Helper()
	docs := policy.Shipped()
	if len(docs) != 3 {
		b.t.Fatalf("%d policies are shipped; want 3", len(docs))
	}
	for _, d := range docs {
		b.apply("default", d)
	}
}

// resource gives one resource_changes entry.
func resource(address, actions, before string) string {
	return fmt.Sprintf(`{"address": %q, "mode": "managed", "change": {"actions": [%s], "before": %s}}`, address, actions, before)
}

func planned(resources ...string) string {
	return `{"run": {"type": "tracked"}, "terraform": {"resource_changes": [` + strings.Join(resources, ",") + `]}}`
}

func many(n int, actions string) []string {
	var all []string
	for i := range n {
		all = append(all, resource(fmt.Sprintf("terraform_data.%c[%d]", actions[1], i), actions, "{}"))
	}
	return all
}

func TestShippedPlanPolicies(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attachShipped()
	keep := many(20, `"no-op"`)
	for _, c := range []struct {
		name, input string
		deny, warn  string
	}{
		{"nothing", planned(), "", ""},
		{"no plan", `{}`, "", ""},
		{"a creation", planned(resource("a.protected_b", `"create"`, "null")), "", ""},
		{"an update", planned(resource("a.protected_b", `"update"`, "{}")), "", ""},
		{"a protected deletion", planned(append(keep, resource("a.protected_b", `"delete"`, "{}"))...), "a.protected_b is protected and would be deleted", ""},
		{"a protected replacement", planned(append(keep, resource(`module.db["x"].a.orders-protected`, `"delete", "create"`, "{}"))...), "would be replaced", ""},
		{"not the word", planned(append(keep, resource("a.unprotected", `"delete"`, "{}"))...), "", ""},
		{"a tag", planned(append(keep, resource("a.b", `"create", "delete"`, `{"tags": {"protected": "true"}}`))...), "a.b is protected", ""},
		{"a tag that says no", planned(append(keep, resource("a.b", `"delete"`, `{"tags": {"protected": "false"}}`))...), "", ""},
		{"a list of tags", planned(append(keep, resource("a.b", `"delete"`, `{"tags": ["x", "protected"]}`))...), "a.b is protected", ""},
		{"a label", planned(append(keep, resource("a.b", `"delete"`, `{"metadata": [{"labels": {"protected": "yes"}}]}`))...), "a.b is protected", ""},
		{"an input of terraform_data", planned(append(keep, resource("terraform_data.b", `"delete"`, `{"input": {"protected": true}}`))...), "terraform_data.b is protected", ""},
		{"a few deletions", planned(append(keep, many(10, `"delete"`)...)...), "", ""},
		{"many deletions", planned(append(keep, many(11, `"delete"`)...)...), "", "11 resources"},
		{"more than half", planned(append(many(4, `"delete"`), resource("a.b", `"no-op"`, "{}"))...), "4 of 5 resources", ""},
		{"three of three", planned(many(3, `"delete"`)...), "", ""},
		{"a destroy run", strings.Replace(planned(many(12, `"delete"`)...), "tracked", "DESTROY", 1), "", "12 resources"},
	} {
		d := b.decide("plan", "payments", c.input)
		deny, warn := strings.Join(d.Outcome["deny"], "|"), strings.Join(d.Outcome["warn"], "|")
		if (c.deny == "") != (deny == "") || !strings.Contains(deny, c.deny) || (c.warn == "") != (warn == "") || !strings.Contains(warn, c.warn) {
			t.Errorf("%s: deny %q, warn %q; want %q and %q", c.name, deny, warn, c.deny, c.warn)
		}
	}
}

func TestShippedApprovalPolicy(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.attachShipped()
	for _, c := range []struct{ name, reviews, want string }{
		{"nobody", `{}`, ""},
		{"the author", `{"approvals": [{"author": "pri_a"}]}`, "deny: an author of a run can't confirm it; ask someone else with run:confirm"},
		{"someone else", `{"approvals": [{"author": "pri_b"}]}`, "approve: Approved by someone other than those whose changes the run applies."},
		{"both", `{"approvals": [{"author": "pri_a"}, {"author": "pri_b"}]}`, "approve: Approved by someone other than those whose changes the run applies."},
		{"someone else, rejected", `{"approvals": [{"author": "pri_b"}], "rejections": [{"author": "pri_c"}]}`, "reject: a reviewer rejected the run"},
		{"an approval without author", `{"approvals": [{}]}`, ""},
		{"who pushed before the author", `{"approvals": [{"author": "pri_p"}]}`, "deny: an author of a run can't confirm it; ask someone else with run:confirm"},
	} {
		d := b.decide("approval", "payments", `{"run": {"author": "pri_a", "authors": ["pri_a", "pri_p"]}, "reviews": {"current": `+c.reviews+`}}`)
		var got string
		for rule, messages := range d.Outcome {
			got += rule + ": " + strings.Join(messages, "|")
		}
		if got != c.want {
			t.Errorf("%s: %q; want %q", c.name, got, c.want)
		}
	}
	for approvals, want := range map[string]bool{`[{"author": "pri_b"}]`: false, `[{"author": "pri_b"}, {"author": "pri_c"}]`: true, `[{"author": "pri_b"}, {"author": "system"}]`: false} {
		d := b.decide("approval", "payments", `{"run": {"author": "system", "authors": ["unknown"]}, "reviews": {"current": {"approvals": `+approvals+`}}}`)
		if got := len(d.Outcome["approve"]) > 0; got != want {
			t.Errorf("of an unknown author, with %s: approved %t", approvals, got)
		}
	}
	if d := b.decide("approval", "payments", `{"reviews": {"current": {"approvals": [{"author": "pri_b"}]}}}`); len(d.Outcome["approve"]) > 0 {
		t.Error("a run without a known author is approved")
	}
}
