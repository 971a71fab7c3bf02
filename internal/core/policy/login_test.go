package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// loginInput is what somebody of some teams is asked about with.
func loginInput(remote string, teams ...string) string {
	raw, _ := json.Marshal(teams) // texts always encode
	return fmt.Sprintf(`{"request": {"remote_ip": %q}, "session": {"login": "pri_a", "member": true, "teams": %s},
"spaces": [{"id": "default", "labels": []}, {"id": "payments", "labels": []}, {"id": "search", "labels": ["sandbox"]}], "roles": [{"id": "deployer", "name": "Deployer"}, {"id": "admin", "name": "admin"}]}`, remote, raw)
}

// lentBy gives what a session is lent, in short.
func lentBy(a access.Admission) string {
	var all []string
	for _, l := range a.Lent {
		if l.Group != "" {
			all = append(all, l.Group)
			continue
		}
		all = append(all, l.Role+"@"+l.Space)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func everything(context.Context, string) (bool, error) { return true, nil }

// TestLoginPoliciesOfSpaceliftGiveRoles asks the same in both syntaxes.
func TestLoginPoliciesOfSpaceliftGiveRoles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: []}}")
		b.Apply("default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: deployer}, spec: {permissions: ['run:confirm']}}")
		b.s.Lends(policy.Lending{Trusts: everything})
		for _, file := range []string{"login/roles_v0.rego", "login/roles_v1.rego"} {
			b.attach("default", "doors", "login", written(t, file))
			admits := func(input string) access.Admission {
				t.Helper()
				a, err := b.s.Admits(system(), "pri_a", func() (any, error) { return json.RawMessage(input), nil })
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				return a
			}
			reads := "reader@default reader@payments reader@search"
			for input, want := range map[string]struct {
				lent string
				held bool
			}{
				loginInput("10.1.2.3"):              {"admin@search " + reads, false},
				loginInput("10.1.2.3", "platform"):  {"admin@default admin@search " + reads, false},
				loginInput("192.0.2.1", "platform"): {reads, true},
				loginInput("10.1.2.3", "payments"):  {"admin@search developer@payments group:default/crew " + reads, false},
				loginInput("10.1.2.3", "deployers"): {"admin@search deployer@default deployer@payments deployer@search " + reads, false},
			} {
				a := admits(input)
				if got := lentBy(a); got != want.lent || a.Held != want.held || len(a.Beyond) > 0 || a.Decision == "" {
					t.Errorf("%s: %s\nlends %q, held %t, beyond %q\nwant  %q, %t", file, input, got, a.Held, a.Beyond, want.lent, want.held)
				}
				for _, l := range a.Lent {
					if l.Policy != "policy:default/doors" || l.Within != "default" {
						t.Errorf("%+v", l)
					}
				}
			}
			d, _, err := b.s.GetDecision(system(), admits(loginInput("10.1.2.3", "payments")).Decision)
			if err != nil || len(d.Names("space_read")) != 3 || len(d.Given("team")) != 1 {
				t.Errorf("the record is %+v, %v", d, err)
			}
		}
	})
}

// TestLoginPoliciesGiveNoMoreThanTheyMay: one that denies, one that is not trusted to give rights, too much at once.
func TestLoginPoliciesGiveNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	b := one(t)
	admits := func() (access.Admission, error) {
		return b.s.Admits(system(), "pri_a", func() (any, error) { return json.RawMessage(loginInput("10.1.2.3")), nil })
	}
	b.attach("default", "gives", "login", "package spacelift\nallow { true }\nadmin { true }")
	if a, err := admits(); err != nil || len(a.Lent) != 0 || len(a.Beyond) != 1 {
		t.Errorf("before anybody says who is trusted: %+v, %v", a, err)
	}
	b.s.Lends(policy.Lending{Trusts: func(_ context.Context, source string) (bool, error) { return source == "apply:default/good", nil }})
	if a, err := admits(); err != nil || len(a.Lent) != 0 || !strings.Contains(strings.Join(a.Beyond, ""), "policy gives") {
		t.Errorf("from a source that is not trusted: %+v, %v", a, err)
	}
	from := func(source, rego string) {
		d := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: "gives"}, Spec: map[string]any{"point": "login", "rego": rego}}
		b.change(document.Change{Ref: d.Ref(), Space: "default", New: &d, Source: source})
	}
	from("apply:default/good", "package spacelift\nadmin { true }\nroles := {\"payments\": \"reader\", \"nowhere\": [\"admin\"], \"search\": {\"admin\": false, \"developer\": true}}\nteam := \"ghosts\"")
	if a, err := admits(); err != nil || lentBy(a) != "admin@default developer@search reader@payments" || len(a.Beyond) != 2 {
		t.Errorf("from one that is: %s, beyond %q, %v", lentBy(a), a.Beyond, err)
	}
	b.attach("payments", "lower", "login", "package spacelift\ndeny_admin { true }\nspace_read[\"search\"] { true }")
	if a, err := admits(); err != nil || a.Held || strings.Contains(lentBy(a), "reader@search") {
		t.Errorf("a policy of a lower space is asked: %+v, %v", a, err)
	}
	b.attach("default", "other", "login", "package spacelift\ndeny_admin { true }")
	if a, err := admits(); err != nil || !a.Held || lentBy(a) != "developer@search reader@payments" {
		t.Errorf("what another policy takes: %s, held %t, %v", lentBy(a), a.Held, err)
	}
	b.attach("default", "other", "login", "package spacelift\ndeny[\"not today\"] { true }")
	if _, err := admits(); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("who is denied: %v", err)
	}
	b.attach("default", "other", "login", "package spacelift\nallow { true }")
	from("apply:default/good", "package spacelift\nspace_read[x] { x := sprintf(\"s%d\", [numbers.range(1, 201)[_]]) }")
	if _, err := admits(); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "at most 200") {
		t.Errorf("too much: %v", err)
	}
}

// TestAChangedLoginPolicyIsTold tells who keeps what it gave, and of nothing else.
func TestAChangedLoginPolicyIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		told := 0
		var fails error
		b.s.Lends(policy.Lending{Trusts: everything, Changed: func(context.Context, *store.Tx) error { told++; return fails }})
		d := func(point, rego string, disabled bool) *document.Document {
			return &document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: "p"}, Spec: map[string]any{"point": point, "rego": rego, "disabled": disabled}}
		}
		var now *document.Document
		to := func(next *document.Document, space, source string, want int, why string) {
			t.Helper()
			r := d("", "", false).Ref()
			told = 0
			b.change(document.Change{Ref: r, Space: space, Old: now, New: next, Source: source})
			if now = next; told != want {
				t.Errorf("%s: told %d times, want %d", why, told, want)
			}
		}
		plan, login, other := "package spacelift\ndeny { true }", "package spacelift\nallow { true }", "package spacelift\nadmin { true }"
		to(d("plan", plan, false), "default", "a", 0, "a policy of plans")
		to(d("login", login, false), "default", "a", 1, "it becomes one of logins")
		to(d("login", login, false), "default", "a", 0, "the same once more")
		to(d("login", other, false), "default", "a", 1, "other rules")
		to(d("login", other, true), "default", "a", 1, "disabled")
		to(d("login", other, true), "default", "b", 1, "another source")
		to(d("login", other, true), "payments", "b", 1, "it leaves the root space")
		to(d("login", login, false), "payments", "b", 0, "other rules, where none is asked")
		to(d("login", login, false), "payments", "a", 0, "another source, where none is asked")
		to(nil, "payments", "a", 0, "gone, where none is asked")
		to(d("login", login, false), "payments", "a", 0, "new, where none is asked")
		to(d("login", login, false), "default", "b", 1, "it comes to the root space")
		to(d("plan", plan, false), "default", "b", 1, "no longer of logins")
		to(d("login", login, false), "default", "b", 1, "again")
		to(nil, "default", "b", 1, "gone")
		fails = errors.New("not now")
		next := d("login", login, false)
		err := b.db.Write(context.Background(), func(tx *store.Tx) error {
			return b.kind.Changed(context.Background(), tx, document.Change{Ref: next.Ref(), Space: "default", New: next})
		})
		if !errors.Is(err, fails) {
			t.Errorf("a change that can't be told goes through: %v", err)
		}
	})
}
