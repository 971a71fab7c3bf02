package identity_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// judged is a bench whose sign-ins the login policies are asked about, with the spaces payments and search.
type judged struct {
	*bench
	rooms *policy.Service
	kind  document.Kind
	had   map[string]*document.Document
}

func eachJudged(t *testing.T, fn func(t *testing.T, b *judged)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := &judged{bench: newBench(t, db), had: map[string]*document.Document{}}
		blobs, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = blobs.Close() })
		log := slog.New(slog.DiscardHandler)
		rooms := policy.New(db, blobs, b.access, ledger.New(db, b.now, log), b.now, log)
		rooms.Lends(policy.Lending{Changed: b.s.LoginChanged, Trusts: func(context.Context, string) (bool, error) { return true, nil }})
		b.s.JudgedBy(rooms)
		b.rooms = rooms
		b.kind = policy.Kinds(rooms)[0]
		b.Space("payments", "default")
		b.Space("search", "default")
		fn(t, b)
	}, ledger.Migrations(), access.Migrations(), policy.Migrations(), identity.Migrations())
}

// doors makes the login policy what its rules say; "" takes it away.
func (b *judged) doors(rules string) {
	b.t.Helper()
	d := document.Document{APIVersion: "roadbed.dev/v1", Kind: "Policy", Metadata: document.Metadata{Name: "doors"},
		Spec: map[string]any{"point": "login", "rego": "package spacelift\n" + rules}}
	c := document.Change{Ref: d.Ref(), Space: "default", Old: b.had["doors"], New: &d}
	if rules == "" {
		c.New = nil
	}
	if err := b.db.Write(context.Background(), func(tx *store.Tx) error { return b.kind.Changed(context.Background(), tx, c) }); err != nil {
		b.t.Fatal(err)
	}
	b.had["doors"] = c.New
}

// enter signs somebody in by a link of the administrator's.
func (b *judged) enter(name string) (cookie string, session context.Context) {
	b.t.Helper()
	code, err := b.s.SignInLink(b.as(adminToken), user(name))
	if err != nil {
		b.t.Fatal(err)
	}
	cookie, _, p, err := b.s.SignIn(context.Background(), code)
	if err != nil {
		b.t.Fatal(err)
	}
	again, _, err := b.s.AuthenticateSession(context.Background(), cookie)
	if err != nil || len(again.Lent) != len(p.Lent) || !slices.Equal(again.Scopes, p.Scopes) || !slices.Equal(again.Groups, p.Groups) {
		b.t.Errorf("signed in as %+v, the session gives %+v, %v", p, again, err)
	}
	return cookie, actor.With(context.Background(), again)
}

const gives = `allow { true }
space_admin["payments"] { input.session.teams[_] == "team" }
roles["search"]["reader"] { input.session.teams[_] == "team" }
`

// TestASessionHasWhatLoginPoliciesGive and nothing that it makes has it.
func TestASessionHasWhatLoginPoliciesGive(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(gives)
		may := func(ctx context.Context, action, space string, want bool) {
			t.Helper()
			if err := b.access.Authorize(ctx, action, space); (err == nil) != want {
				t.Errorf("%s in %s: %v; want it to be allowed: %t", action, space, err, want)
			}
		}
		_, alice := b.enter("alice")
		may(alice, "space:admin", "payments", true)
		may(alice, "run:read", "search", true)
		may(alice, "run:confirm", "search", false)
		may(alice, "run:read", "default", false)
		_, bob := b.enter("bob")
		may(bob, "run:read", "payments", false)
		told := b.entries("session.created")
		all := strings.ReplaceAll(strings.Join(told, " "), `\`, "") // in an entry that is not sealed, its data is a text
		if len(told) != 2 || !strings.Contains(all, `"space":"payments"`) || !strings.Contains(all, `"policy":"policy:default/doors"`) {
			t.Errorf("the ledger tells %v", told)
		}

		// A token of hers has her own rights, which are none, and ends with the session at the latest.
		token, secret, err := b.s.CreateToken(alice, identity.NewToken{Name: "mine"})
		if err != nil || token.Expires.After(b.now().Add(7*24*time.Hour)) {
			t.Fatalf("her token is %+v, %v", token, err)
		}
		may(b.as(secret), "run:read", "payments", false)
		if _, _, err := b.s.CreateToken(alice, identity.NewToken{Name: "longer", Expires: b.now().Add(8 * 24 * time.Hour)}); !fault.Is(err, fault.Denied) {
			t.Errorf("a token that outlives the session: %v", err)
		}
		machine, err := b.s.CreateMachine(alice, identity.NewMachine{Space: "payments", Name: "bot"})
		if err != nil {
			t.Fatal(err)
		}
		if token, _, err = b.s.CreateToken(alice, identity.NewToken{Principal: machine.Ref, Name: "bot"}); err != nil || token.Expires.After(b.now().Add(7*24*time.Hour)) {
			t.Errorf("a machine's token is %+v, %v", token, err)
		}
		if _, _, err := b.s.CreateToken(alice, identity.NewToken{Principal: user("admin"), Name: "more"}); !fault.Is(err, fault.Denied) {
			t.Errorf("a token of somebody mightier: %v", err)
		}
		// What bob, who was given nothing, makes is as before.
		if token, _, err = b.s.CreateToken(bob, identity.NewToken{Name: "bobs"}); err != nil || !token.Expires.After(b.now().Add(80*24*time.Hour)) {
			t.Errorf("bob's token is %+v, %v", token, err)
		}
		// A session that hers opens is judged by itself, and ends with hers.
		code, err := b.s.SignInLink(alice, ref.Entity{})
		if err != nil {
			t.Fatal(err)
		}
		b.pass(5 * time.Minute)
		cookie, _, second, err := b.s.SignIn(context.Background(), code)
		if err != nil || len(second.Lent) != 2 {
			t.Fatalf("a second session is %+v, %v", second, err)
		}
		for range 20 { // used now and then
			b.pass(8 * time.Hour)
			if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); err != nil {
				t.Fatal(err)
			}
		}
		b.pass(8*time.Hour - 5*time.Minute)
		if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("it outlives the one that opened it: %v", err)
		}
		b.refused(secret, "a token of a session that is over")
	})
}

// TestWhatPoliciesLendEndsWithThem ends the sessions that they gave something when they change, and no others.
func TestWhatPoliciesLendEndsWithThem(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(gives)
		hers, alice := b.enter("alice")
		his, _ := b.enter("bob")
		code, err := b.s.SignInLink(b.as(adminToken), user("alice"))
		if err != nil {
			t.Fatal(err)
		}
		p := actor.From(alice)
		if now, err := b.s.Resume(context.Background(), actor.Principal{ID: p.ID, Kind: p.Kind, Ref: p.Ref, Token: p.Token}); err != nil || len(now.Lent) != 2 {
			t.Errorf("resumed as %+v, %v", now, err)
		}
		if _, err := b.s.Resume(context.Background(), actor.Principal{ID: "pri_other", Kind: p.Kind, Ref: user("bob"), Token: p.Token}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("somebody else resumes it: %v", err)
		}
		b.doors("allow { true }\nspace_read[\"payments\"] { true }")
		if _, _, err := b.s.AuthenticateSession(context.Background(), hers); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the session that was lent by what held before: %v", err)
		}
		if err := b.s.Alive(context.Background(), p); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("it is alive: %v", err)
		}
		if _, err := b.s.Resume(context.Background(), p); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("it is resumed: %v", err)
		}
		if _, _, err := b.s.AuthenticateSession(context.Background(), his); err != nil {
			t.Errorf("the session that was lent nothing: %v", err)
		}
		_, _, again, err := b.s.SignIn(context.Background(), code)
		if err != nil || len(again.Lent) != 1 || again.Lent[0].Role != "reader" {
			t.Errorf("signed in anew as %+v, %v", again, err)
		}
		if ended := b.entries("session.ended"); len(ended) != 1 {
			t.Errorf("the ledger tells %v", ended)
		}
		b.doors("")
		if err := b.s.Alive(context.Background(), again); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the policy is gone, and what it lent is there: %v", err)
		}
	})
}

// TestDenyAdminHoldsASession to what a developer may, though a binding makes its person the administrator.
func TestDenyAdminHoldsASession(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors("allow { true }\nadmin { true }\ndeny_admin { true }")
		_, admin := b.enter("admin")
		if err := b.access.Authorize(admin, "space:admin", "default"); !fault.Is(err, fault.Denied) {
			t.Errorf("administers: %v", err)
		}
		if err := b.access.Authorize(admin, "stack:apply", "payments"); err != nil {
			t.Errorf("does not develop: %v", err)
		}
		if p := actor.From(admin); len(p.Lent) != 0 {
			t.Errorf("is lent %v", p.Lent)
		}
		if _, _, err := b.s.CreateToken(admin, identity.NewToken{Name: "all"}); !fault.Is(err, fault.Denied) {
			t.Errorf("makes a token with more: %v", err)
		}
		if token, secret, err := b.s.CreateToken(admin, identity.NewToken{Name: "less", Scopes: []string{"run:read"}}); err != nil || token.Expires.After(b.now().Add(7*24*time.Hour)) {
			t.Errorf("a token with less is %+v, %v", token, err)
		} else if err := b.access.Authorize(b.as(secret), "space:admin", "default"); !fault.Is(err, fault.Denied) {
			t.Errorf("it administers: %v", err)
		}
		if _, err := b.s.SignInLink(admin, ref.Entity{}); !fault.Is(err, fault.Denied) {
			t.Errorf("opens another session: %v", err)
		}
		if _, err := b.s.AllowProgram(admin, identity.Grant{Challenge: strings.Repeat("a", 43), Name: "terraform"}); !fault.Is(err, fault.Denied) {
			t.Errorf("lets a program in: %v", err)
		}
		if err := b.access.Authorize(b.as(adminToken), "space:admin", "default"); err != nil {
			t.Errorf("a token is no session, and yet: %v", err)
		}
		if list, err := b.s.ListTokens(admin, ref.Entity{}, page.Request{}); err != nil || len(list.Items) != 2 {
			t.Errorf("sees %+v, %v", list, err)
		} else if err := b.s.RevokeToken(admin, list.Items[0].ID); err != nil {
			t.Errorf("can't end a token of their own: %v", err)
		}
		if err := b.s.SignOutEverywhere(admin, user("bob")); !fault.Is(err, fault.Denied) {
			t.Errorf("ends somebody else's sessions: %v", err)
		}
		if err := b.s.SignOutEverywhere(admin, ref.Entity{}); err != nil {
			t.Errorf("can't end their own: %v", err)
		}
	})
}

// TestASignInIsOfOneStateOfThePolicies has a policy change while one is judged.
func TestASignInIsOfOneStateOfThePolicies(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors("allow { true }\nadmin { true }")
		code, err := b.s.SignInLink(b.as(adminToken), user("bob"))
		if err != nil {
			t.Fatal(err)
		}
		between := &between{Judge: b.rooms, then: func() { b.doors("allow { true }") }}
		b.s.JudgedBy(between)
		if _, _, _, err := b.s.SignIn(context.Background(), code); !fault.Is(err, fault.Conflict) {
			t.Fatalf("signed in by what held before: %v", err)
		}
		between.then = func() {}
		_, _, p, err := b.s.SignIn(context.Background(), code)
		if err != nil || len(p.Lent) != 0 {
			t.Errorf("the link is used up, or gives %+v: %v", p, err)
		}
	})
}

// between lets something happen once a sign-in is judged.
type between struct {
	identity.Judge
	then func()
}

func (b *between) Admits(ctx context.Context, principal string, input func() (any, error)) (access.Admission, error) {
	a, err := b.Judge.Admits(ctx, principal, input)
	b.then()
	return a, err
}

// TestWhatALentSessionOpensForOthersEndsWithIt: an administrator by policy opens a session for somebody, and lets a program
// in; neither outlives the administrator's own session, nor has the program what that is lent.
func TestWhatALentSessionOpensForOthersEndsWithIt(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors("allow { true }\nadmin { input.session.teams[_] == \"team\" }")
		_, alice := b.enter("alice")
		until := b.now().Add(7 * 24 * time.Hour)
		b.pass(11 * time.Hour)
		code, err := b.s.SignInLink(alice, user("bob"))
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, bob, err := b.s.SignIn(context.Background(), code)
		if err != nil || len(bob.Lent) != 0 {
			t.Fatalf("bob is %+v, %v", bob, err)
		}
		verifier := strings.Repeat("v", 43)
		sum := sha256.Sum256([]byte(verifier))
		grant, err := b.s.AllowProgram(alice, identity.Grant{Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Redirect: "http://localhost:10000/login", Name: "terraform"})
		if err != nil {
			t.Fatal(err)
		}
		token, secret, err := b.s.ExchangeGrant(context.Background(), grant, verifier, "http://localhost:10000/login")
		if err != nil || !token.Expires.Equal(until) {
			t.Fatalf("the program's token is %+v, %v; want its end at %s", token, err, until)
		}
		if err := b.access.Authorize(b.as(secret), "space:read", "default"); !fault.Is(err, fault.Denied) {
			t.Errorf("the program has what the session was lent: %v", err)
		}
		for b.now().Before(until) {
			if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); err != nil {
				t.Fatalf("at %s: %v", b.now(), err)
			}
			b.pass(157 * time.Hour / 20)
		}
		if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the session that it opened outlives it: %v", err)
		}
	})
}
