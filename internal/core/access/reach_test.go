package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestDocumentsThatReachTooFarAreRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Space("b", "default")
		w.Space("a-low", "a")
		w.Apply("a", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: of-a}, spec: {permissions: ['*']}}")
		binding := func(role, space string) string {
			return fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: x}, spec: {role: %s, space: %s, subjects: ['user:eve']}}", role, space)
		}
		space := func(name, parent string) string {
			return fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: %s}, spec: {parent: %s}}", name, parent)
		}
		for _, c := range []struct {
			name, from, yaml string
			want             fault.Kind
		}{
			{"binds in a sibling", "a", binding("admin", "b"), fault.Denied},
			{"binds in the root", "a", binding("admin", "default"), fault.Denied},
			{"a role of another space", "default", binding("of-a", "b"), fault.Denied},
			{"an unknown role", "default", binding("nobody", "b"), fault.Invalid},
			{"an unknown space", "default", binding("admin", "c"), fault.Invalid},
			{"hangs a space elsewhere", "a", space("mine", "b"), fault.Denied},
			{"under an unknown parent", "default", space("mine", "c"), fault.Invalid},
			{"a circle", "default", space("a", "a-low"), fault.Invalid},
			{"its own parent", "default", space("a", "a"), fault.Invalid},
			{"a machine away from its space", "default", strings.Replace(binding("reader", "b"), "user:eve", "machine:a/bot", 1), fault.Invalid},
			{"redefines admin", "default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: admin}, spec: {permissions: ['run:read']}}", fault.Invalid},
			{"a misspelt permission", "default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: r}, spec: {permissions: ['run confirm']}}", fault.Invalid},
			{"an unknown field", "default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: r}, spec: {permission: ['run:read']}}", fault.Invalid},
			{"a subject of no kind", "default", "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: x}, spec: {role: admin, subjects: [alice]}}", fault.Invalid},
			{"describes the root", "a", "{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: default}}", fault.Denied},
			{"a namespaced space", "default", "{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: x, namespace: y}}", fault.Invalid},
		} {
			err := w.Try(c.from, c.yaml)
			if !fault.Is(err, c.want) || len(fault.Details(err)) == 0 && c.want == fault.Invalid {
				t.Errorf("%s: %v; want %v that points at the place", c.name, err, c.want)
			}
		}
		if err := w.TryDelete("space:default/a"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a space with children is deleted: %v", err)
		}
		w.Apply("a", binding("of-a", "a-low"))
		if !s.May(accesstest.As("eve"), "run:read", "a-low") || s.May(accesstest.As("eve"), "run:read", "a") {
			t.Error("a binding of a lower space must hold there and not above")
		}
	})
}

// A source of a lower space can't put its people into a group of the root.
func TestMembershipsDeclaredBelowTheirGroupDoNotCount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: admins}, spec: {type: team, children: []}}")
		w.Bind("admin", "default", "group:default/admins", "group:default/undeclared")
		w.Apply("a", `
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: eve}, spec: {memberOf: [admins, undeclared]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: eves}, spec: {type: team, parent: admins, children: [], members: [eve, mallory]}}`)
		for _, who := range []string{"eve", "mallory"} {
			if s.May(accesstest.As(who), "run:read", "default") {
				t.Errorf("%s became an administrator", who)
			}
		}
		w.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: admins}, spec: {type: team, children: [], members: [eve]}}")
		if !s.May(accesstest.As("eve"), "space:admin", "default") {
			t.Error("the root's own membership must count")
		}
	})
}

// A group that was bound before it was declared is nobody's below.
func TestAGroupThatWasBoundIsDeclaredWhereItsRightsReach(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Space("b", "default")
		group := func(name string) string {
			return fmt.Sprintf("{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: %s}, spec: {type: team, children: [], members: [eve]}}", name)
		}
		w.Bind("admin", "default", "group:default/platform")
		w.Bind("developer", "b", "group:default/b-devs")
		w.Bind("developer", "a", "group:default/a-devs")
		for _, name := range []string{"platform", "b-devs"} {
			if err := w.Try("a", group(name)); !fault.Is(err, fault.Denied) {
				t.Errorf("the group %s is declared by a: %v", name, err)
			}
		}
		if s.May(accesstest.As("eve"), "run:read", "default") || s.May(accesstest.As("eve"), "run:read", "b") {
			t.Error("eve has made herself mighty")
		}
		w.Apply("a", group("a-devs"))
		if !s.May(accesstest.As("eve"), "run:read", "a") {
			t.Error("a group of a's own has no rights in a")
		}
		w.Apply("a", group("guests")) // declared before it is bound, so whoever binds it knows whose it is
		w.Bind("developer", "b", "group:default/guests")
		if !s.May(accesstest.As("eve"), "run:read", "b") {
			t.Error("b can't give rights to a's group")
		}
		w.Apply("default", group("platform"))
		w.Delete("group:default/platform")
		if err := w.Try("a", group("platform")); !fault.Is(err, fault.Denied) {
			t.Errorf("a bound group that was deleted is taken up by a: %v", err)
		}
	})
}

// What was in a deleted space still bears its name, and is not for whoever takes the name up.
func TestADeletedSpaceIsNobodyElses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Space("b", "default")
		w.Space("a-low", "a")
		w.Space("payments", "default")
		space := func(name, parent string) string {
			return fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: %s}, spec: {parent: %s}}", name, parent)
		}
		w.Delete("space:default/payments")
		w.Delete("space:default/a-low")
		for _, c := range []struct{ from, name, parent string }{{"b", "payments", "b"}, {"a", "payments", "a"}, {"b", "a-low", "b"}} {
			if err := w.Try(c.from, space(c.name, c.parent)); !fault.Is(err, fault.Denied) {
				t.Errorf("%s takes up %s: %v", c.from, c.name, err)
			}
		}
		w.Apply("a", space("a-low", "a"))
		w.Apply("default", space("payments", "b"))
	})
}

// A machine of a space that is in a mighty group is mighty in its own space only.
func TestMachinesStayAtHome(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Space("a-low", "a")
		w.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: ops}, spec: {type: team, children: [], members: ['machine:a/bot']}}")
		w.Bind("admin", "default", "group:default/ops")
		bot := accesstest.As("machine:a/bot")
		set, err := s.Spaces(bot, "run:confirm")
		if err != nil || !slices.Equal(set.List(), []string{"a", "a-low"}) {
			t.Errorf("the machine of a may act in %v (all: %v), %v", set.List(), set.All, err)
		}
		if s.May(bot, "run:confirm", "default") || !s.May(bot, "run:confirm", "a-low") {
			t.Error("the machine acts outside of its space, or not in it")
		}
	})
}

// What a transaction sees that is rolled back, or that began before a change, never stays in memory.
func TestTransactionsLeaveNoTraceInTheSnapshot(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, db *store.DB) {
		w.Space("payments", "default")
		w.User("alice", "team")
		alice := accesstest.As("alice")
		ctx := context.Background()
		undone := errors.New("undone")
		err := db.Write(ctx, func(tx *store.Tx) error {
			for _, k := range access.Kinds(s) {
				if k.Name != "RoleBinding" {
					continue
				}
				d := access.FirstSetUp()[1]
				d.Spec["subjects"] = []any{"user:default/alice"}
				if err := k.Changed(ctx, tx, document.Change{Ref: d.Ref(), Space: "default", New: &d}); err != nil {
					return err
				}
			}
			if s.May(alice, "run:read", "payments") {
				t.Error("a right counts before it is committed")
			}
			return undone
		})
		if !errors.Is(err, undone) || s.May(alice, "run:read", "payments") {
			t.Errorf("a right stayed that was rolled back (%v)", err)
		}
		w.Bind("reader", "payments", "group:default/team")
		err = db.Read(ctx, func(tx *store.Tx) error {
			if _, err := s.GroupsOf(ctx, tx, aliceRef()); err != nil {
				return err
			}
			done := make(chan struct{})
			go func() { defer close(done); w.Delete("rolebinding:default/reader-payments") }()
			<-done
			s.May(alice, "run:read", "payments")
			return nil
		})
		if err != nil || s.May(alice, "run:read", "payments") {
			t.Errorf("an older transaction brought a revoked right back (%v)", err)
		}
	})
}

func aliceRef() ref.Entity { return ref.New("user", "default", "alice") }

func TestSortBringsParentsFirst(t *testing.T) {
	t.Parallel()
	docs, err := document.Parse("x.yaml", []byte(`
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: z}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: c}, spec: {parent: b}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: x}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: b}, spec: {parent: a}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: a}}
`), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	access.Sort(docs)
	var names []string
	for _, d := range docs {
		names = append(names, d.Metadata.Name)
	}
	if got := strings.Join(names, " "); got != "a b c x z" {
		t.Errorf("sorted to %s", got)
	}
}
