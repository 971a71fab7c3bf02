package access_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func each(t *testing.T, fn func(t *testing.T, s *access.Service, w *accesstest.World, db *store.DB)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newService(db)
		fn(t, s, accesstest.New(t, db, s), db)
	}, ledger.Migrations(), access.Migrations())
}

func newService(db *store.DB) *access.Service {
	return access.New(db, ledger.New(db, time.Now, slog.New(slog.DiscardHandler)), time.Now, slog.New(slog.DiscardHandler))
}

func TestRightsComeFromBindingsGroupsAndParents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, db *store.DB) {
		w.SetUp()
		w.Apply("default", `
apiVersion: roadbed.dev/v1
kind: RoleBinding
metadata: {name: payments-people}
spec: {role: deployer, space: payments, subjects: [group:default/company, machine:payments/bot]}
---
apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: payments-dev}
spec: {parent: payments}
---
apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: payments}
---
apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: search}
---
apiVersion: roadbed.dev/v1
kind: Role
metadata: {name: deployer}
spec: {permissions: [run:confirm, "application:*"]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: backend}
spec: {type: team, parent: company, children: [], members: [bob]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: company}
spec: {type: organization, children: [platform]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: alice}
spec: {memberOf: [platform]}
`)
		for _, c := range []struct {
			who, action, space string
			want               fault.Kind
		}{
			{"admin", "space:admin", "payments-dev", 0},
			{"alice", "run:confirm", "payments", 0},
			{"alice", "run:confirm", "payments-dev", 0},
			{"bob", "application:sync", "payments-dev", 0},
			{"machine:payments/bot", "application:sync", "payments", 0},
			{"machine:payments/bot", "run:confirm", "payments-dev", 0},
			{"machine:search/bot", "run:confirm", "payments", fault.Denied},
			{"alice", "run:confirm", "search", fault.Denied},
			{"alice", "run:confirm", "default", fault.Denied},
			{"alice", "run:confirm", "", fault.Denied},
			{"alice", "space:admin", "payments", fault.Denied},
			{"carol", "run:confirm", "payments", fault.Denied},
			{"alice", "run:confirm", "nowhere", fault.Denied},
			{"admin", "run:confirm", "nowhere", fault.NotFound},
			{"admin", "run:confirm", "", 0},
		} {
			err := s.Authorize(accesstest.As(c.who), c.action, c.space)
			if c.want == 0 && err != nil || c.want != 0 && !fault.Is(err, c.want) {
				t.Errorf("%s %s in %q: %v; want %v", c.who, c.action, c.space, err, c.want)
			}
		}
		err := s.Authorize(accesstest.As("alice"), "space:admin", "payments")
		if err == nil || !strings.Contains(err.Error(), "space:admin in space payments") {
			t.Errorf("the refusal %v does not name what is missing", err)
		}
		set, err := s.Spaces(accesstest.As("alice"), "run:confirm")
		if err != nil || !slices.Equal(set.List(), []string{"payments", "payments-dev"}) {
			t.Errorf("alice may confirm in %v, %v", set.List(), err)
		}
		err = db.Read(context.Background(), func(tx *store.Tx) error {
			groups, err := s.GroupsOf(context.Background(), tx, ref.New("user", "", "bob"))
			if want := []string{"group:default/backend", "group:default/company"}; !slices.Equal(groups, want) {
				t.Errorf("bob is in %v; want %v", groups, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		up, err := s.Ancestors(context.Background(), "payments-dev")
		if err != nil || !slices.Equal(up, []string{"payments-dev", "payments", "default"}) {
			t.Errorf("ancestors %v, %v", up, err)
		}
		below, err := s.Below(context.Background(), "payments")
		if err != nil || below.All || !slices.Equal(below.List(), []string{"payments", "payments-dev"}) {
			t.Errorf("below %v, %v", below, err)
		}
		if all, err := s.Below(context.Background(), access.Root); err != nil || !all.All {
			t.Errorf("below the root %v, %v", all, err)
		}
		if none, err := s.Below(context.Background(), "nowhere"); err != nil || !none.Empty() {
			t.Errorf("below what there is not %v, %v", none, err)
		}
	})
}

func TestRevokedRightsAreGoneWithTheNextCall(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("payments", "default")
		w.User("alice", "team")
		w.Bind("developer", "payments", "group:default/team")
		alice := accesstest.As("alice")
		may := func(want bool, when string) {
			t.Helper()
			if got := s.May(alice, "run:confirm", "payments"); got != want {
				t.Errorf("%s: alice may confirm: %v", when, got)
			}
		}
		may(true, "bound by her team")
		w.Bind("reader", "payments", "group:default/team")
		w.Delete("rolebinding:default/developer-payments")
		may(false, "the binding is deleted")
		w.Bind("developer", "payments", "group:default/team")
		may(true, "bound again")
		w.User("alice")
		may(false, "out of the team")
		w.User("alice", "team")
		may(true, "in the team again")
		w.Delete("user:default/alice")
		may(false, "deleted")
	})
}

func TestTokensAndWorkloadsAreNarrowed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("payments", "default")
		w.Space("search", "default")
		w.Bind("developer", "payments", "user:default/alice")
		narrowed := accesstest.As("alice", "run:read", "repository:write=payments/shop", "space:admin")
		workload := actor.With(context.Background(), actor.Principal{ID: "step_x", Kind: actor.Workload, Space: "payments", Scopes: []string{"artifact:write", "repository:write=payments/shop"}})
		bare := actor.With(context.Background(), actor.Principal{ID: "step_x", Kind: actor.Workload, Space: "payments"})
		for _, c := range []struct {
			ctx                   context.Context
			action, space, object string
			want                  bool
		}{
			{narrowed, "run:read", "payments", "", true},
			{narrowed, "run:confirm", "payments", "", false},
			{narrowed, "repository:write", "payments", "payments/shop", true},
			{narrowed, "repository:write", "payments", "payments/other", false},
			{narrowed, "repository:write", "payments", "", false},
			{narrowed, "space:admin", "payments", "", false}, // a scope gives nothing that the roles don't
			{workload, "artifact:write", "payments", "", true},
			{workload, "artifact:write", "search", "", false},
			{workload, "artifact:write", "default", "", false},
			{workload, "artifact:read", "payments", "", false},
			{workload, "repository:write", "payments", "payments/shop", true},
			{bare, "artifact:write", "payments", "", false},
			{actor.AsSystem(context.Background()), "space:admin", "default", "", true},
		} {
			if err := s.AuthorizeObject(c.ctx, c.action, c.space, c.object); (err == nil) != c.want {
				t.Errorf("%s on %q in %s: %v; want %v", c.action, c.object, c.space, err, c.want)
			}
		}
		if err := s.Authorize(context.Background(), "run:read", "payments"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("nobody: %v", err)
		}
		if _, err := s.Spaces(context.Background(), "run:read"); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("nobody: %v", err)
		}
		if set, err := s.Spaces(narrowed, "run:confirm"); err != nil || !set.Empty() {
			t.Errorf("a token without the scope lists %v, %v", set, err)
		}
		if set, err := s.Spaces(workload, "artifact:write"); err != nil || !slices.Equal(set.List(), []string{"payments"}) {
			t.Errorf("the workload writes in %v, %v", set, err)
		}
		if err := s.ReadOrNotFound(accesstest.As("carol"), "stack:read", "payments", "stack shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("carol learns: %v", err)
		}
	})
}

func TestAnotherServersChangesArrive(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := slog.New(slog.DiscardHandler)
		book := ledger.New(db, time.Now, log)
		here, there := access.New(db, book, time.Now, log), access.New(db, book, time.Now, log)
		w := accesstest.New(t, db, here)
		w.Bind("developer", "default", "user:default/alice")
		alice := accesstest.As("alice")
		if !there.May(alice, "run:confirm", "default") {
			t.Fatal("alice must be allowed at first")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- there.Run(ctx) }()
		w.Delete("rolebinding:default/developer-default")
		for there.May(alice, "run:confirm", "default") {
			if ctx.Err() != nil {
				t.Fatal("the other server never heard of the revocation")
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}, ledger.Migrations(), access.Migrations())
}

func TestListsShowOnlyWhatMayBeSeen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		w.Space("a", "default")
		w.Space("b", "default")
		w.Bind("reader", "a", "user:default/alice")
		spaces, err := s.ListSpaces(accesstest.As("alice"))
		if err != nil || len(spaces) != 1 || spaces[0].Name != "a" {
			t.Errorf("alice sees the spaces %v, %v", spaces, err)
		}
		roles, err := s.ListRoles(accesstest.As("alice"), "a")
		if err != nil || len(roles) != 3 {
			t.Errorf("alice sees the roles %v, %v", roles, err)
		}
		if _, err := s.ListBindings(accesstest.As("alice"), "b"); !fault.Is(err, fault.NotFound) {
			t.Errorf("alice reads the bindings of b: %v", err)
		}
		bindings, err := s.ListBindings(accesstest.As("alice"), "a")
		if err != nil || len(bindings) != 1 {
			t.Errorf("alice sees the bindings %v, %v", bindings, err)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	db := storetest.SQLite(b, ledger.Migrations(), access.Migrations())
	s := newService(db)
	w := accesstest.New(b, db, s)
	w.Space("a", "default")
	w.Space("a-b", "a")
	w.Bind("developer", "default", "group:default/team")
	w.User("alice", "team")
	alice := accesstest.As("alice", "run:*")
	for b.Loop() {
		if err := s.Authorize(alice, "run:confirm", "a-b"); err != nil {
			b.Fatal(err)
		}
	}
}
