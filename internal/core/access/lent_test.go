package access_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// lentTo gives a context in which a user acts in a session that was lent something.
func lentTo(who string, all ...actor.Lent) context.Context {
	p := actor.From(accesstest.As(who))
	p.Token, p.Lent = ref.NewID(ref.Session, time.Now()), all
	return actor.With(context.Background(), p)
}

func role(name, space, within string) actor.Lent {
	return actor.Lent{Role: name, Space: space, Within: within, Policy: "policy:default/doors"}
}

func lentWorld(w *accesstest.World) {
	w.Space("payments", "default")
	w.Space("payments-dev", "payments")
	w.Space("search", "default")
	w.User("alice")
	w.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: [], parent: company}}")
	w.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: company}, spec: {type: team, children: []}}")
	w.Apply("payments", "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: payers}, spec: {type: team, children: []}}")
	w.Apply("payments", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: payer}, spec: {permissions: ['run:confirm']}}")
	w.Bind("reader", "search", "group:default/company")
}

// TestWhatASessionIsLentCountsInItAlone holds it to its spaces, to what the policy's space reaches, and to sessions.
func TestWhatASessionIsLentCountsInItAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		lentWorld(w)
		may := func(ctx context.Context, action string) string {
			t.Helper()
			set, err := s.Spaces(ctx, action)
			if err != nil {
				t.Fatal(err)
			}
			for _, space := range []string{"default", "payments", "payments-dev", "search"} {
				if s.May(ctx, action, space) != set.Has(space) {
					t.Errorf("%s in %s: the one says %t, the list %t", action, space, s.May(ctx, action, space), set.Has(space))
				}
			}
			if set.All {
				return "all"
			}
			return strings.Join(set.List(), " ")
		}
		for name, c := range map[string]struct {
			lent               actor.Lent
			reads, administers string
		}{
			"in a space and below":              {role("admin", "payments", "default"), "payments payments-dev", "payments payments-dev"},
			"everywhere":                        {role("reader", "default", "default"), "all", ""},
			"beside the policy's space":         {role("admin", "search", "payments"), "", ""},
			"above the policy's space":          {role("admin", "default", "payments"), "", ""},
			"below the policy's space":          {role("reader", "payments-dev", "payments"), "payments-dev", ""},
			"a role of a lower space":           {role("payer", "search", "default"), "", ""},
			"an unknown role":                   {role("owner", "payments", "default"), "", ""},
			"an unknown space":                  {role("admin", "nowhere", "default"), "", ""},
			"a policy of no space":              {role("admin", "payments", ""), "", ""},
			"a group, by those above it":        {actor.Lent{Group: "group:default/crew", Within: "default"}, "search", ""},
			"a group of a space above":          {actor.Lent{Group: "group:default/crew", Within: "payments"}, "", ""},
			"a group that nobody declared":      {actor.Lent{Group: "group:default/ghosts", Within: "default"}, "", ""},
			"a group without rights":            {actor.Lent{Group: "group:default/payers", Within: "payments"}, "", ""},
			"a group, and a role that is not":   {actor.Lent{Group: "group:default/payers", Role: "admin", Space: "default", Within: "default"}, "", ""},
			"what would be a grant to a group":  {actor.Lent{Role: "admin", Space: "payments", Within: "nowhere"}, "", ""},
			"what is within a space below only": {role("admin", "payments", "payments-dev"), "", ""},
		} {
			ctx := lentTo("alice", c.lent)
			if reads, administers := may(ctx, "run:read"), may(ctx, "space:admin"); reads != c.reads || administers != c.administers {
				t.Errorf("%s: reads in %q and administers %q; want %q and %q", name, reads, administers, c.reads, c.administers)
			}
		}

		all := role("admin", "default", "default")
		session := lentTo("alice", all)
		if may(session, "space:admin") != "all" {
			t.Fatal("a session that was lent all may not do all")
		}
		for name, change := range map[string]func(p *actor.Principal){
			"a token":   func(p *actor.Principal) { p.Token = ref.NewID(ref.Token, time.Now()) },
			"nothing":   func(p *actor.Principal) { p.Token = "" },
			"a machine": func(p *actor.Principal) { p.Kind, p.Ref = actor.Machine, ref.New("machine", "payments", "bot") },
			"another session of the same person": func(p *actor.Principal) {
				p.Token, p.Lent = ref.NewID(ref.Session, time.Now()), nil
			},
		} {
			p := actor.From(session)
			change(&p)
			if got := may(actor.With(context.Background(), p), "space:read"); got != "" {
				t.Errorf("%s has what the session was lent: reads %s", name, got)
			}
		}
		held := actor.From(session)
		held.Scopes = access.HeldTo()
		ctx := actor.With(context.Background(), held)
		if err := s.Authorize(ctx, "space:admin", "payments"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "deny_admin") {
			t.Errorf("a session that is held administers: %v", err)
		}
		if may(ctx, "stack:apply") != "all" || may(ctx, "policy:read") != "all" || may(ctx, "stack:state") != "" {
			t.Error("a session that is held may not do what a developer may, or more")
		}
		groups, err := s.GroupsIn(lentTo("alice", actor.Lent{Group: "group:default/crew", Within: "default"}), actor.From(lentTo("alice", actor.Lent{Group: "group:default/crew", Within: "default"})))
		if err != nil || !slices.Equal(groups, []string{"group:default/company", "group:default/crew"}) {
			t.Errorf("counts in %v, %v", groups, err)
		}
	})
}

// TestWhatIsLentEndsWithTheRole asks again after the documents that it rests on have changed.
func TestWhatIsLentEndsWithTheRole(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		lentWorld(w)
		ctx := lentTo("alice", role("payer", "payments", "default"))
		if !s.May(ctx, "run:confirm", "payments-dev") {
			t.Fatal("the role does not count")
		}
		w.Apply("payments", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: payer}, spec: {permissions: ['run:cancel']}}")
		if s.May(ctx, "run:confirm", "payments") || !s.May(ctx, "run:cancel", "payments") {
			t.Error("the session has the role as it was")
		}
		w.Delete("role:default/payer")
		if s.May(ctx, "run:cancel", "payments") {
			t.Error("the session has a role that is gone")
		}
	})
}

// TestWhatCanBeLent says why the rest can't.
func TestWhatCanBeLent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *access.Service, w *accesstest.World, _ *store.DB) {
		lentWorld(w)
		lent, beyond, err := s.Lendable(context.Background(), []actor.Lent{
			role("space-admin", "payments", "default"), role("space_writer", "payments", "default"), role("Space-Reader", "payments", "default"),
			role("admin", "payments", "default"), role("payer", "search", "default"), role("admin", "search", "payments"), role("admin", "nowhere", "default"), role("owner", "payments", "default"),
			{Group: "group:default/crew", Within: "default"}, {Group: "group:default/crew", Within: "payments"}, {Group: "crew", Within: "default"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lent {
			got = append(got, l.Role+l.Group)
		}
		if want := "admin developer reader group:default/crew"; strings.Join(got, " ") != want {
			t.Errorf("lends %v, want %s", got, want)
		}
		if len(beyond) != 6 {
			t.Errorf("%d are beyond: %q", len(beyond), beyond)
		}
		w.Apply("default", "{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: space-admin}, spec: {permissions: ['space:read']}}")
		lent, _, err = s.Lendable(context.Background(), []actor.Lent{role("space-admin", "payments", "default")})
		if err != nil || len(lent) != 1 || lent[0].Role != "space-admin" {
			t.Errorf("a role of one's own by that name gives way: %v, %v", lent, err)
		}
	})
}
