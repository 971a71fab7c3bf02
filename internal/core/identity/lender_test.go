package identity_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const lendsAdmin = "allow { true }\nadmin { input.session.teams[_] == \"team\" }"

// hops is what comes of a session of alice's that is lent the administrator's role, in one hop and in two.
type hops struct {
	lent    context.Context // alice
	cookie  string          // of the administrator's session, by her link
	secrets []string        // of tokens: hers for the administrator, his own, his program's, one by his token
	links   []string        // unused: his own, one by his token for bob
	tokens  []identity.Token
}

func (b *judged) link(as context.Context, name string) string {
	b.t.Helper()
	code, err := b.s.SignInLink(as, user(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// program lets a program in, up to where it gets its token.
func (b *judged) program(as context.Context) (identity.Token, string) {
	b.t.Helper()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	code, err := b.s.AllowProgram(as, identity.Grant{Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Redirect: "http://localhost:10000/login", Name: "terraform"})
	if err != nil {
		b.t.Fatal(err)
	}
	token, secret, err := b.s.ExchangeGrant(context.Background(), code, verifier, "http://localhost:10000/login")
	if err != nil {
		b.t.Fatal(err)
	}
	return token, secret
}

func (b *judged) hop() (h hops) {
	b.t.Helper()
	_, h.lent = b.enter("alice")
	made := func(token identity.Token, secret string, err error) string {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
		b.as(secret)
		h.secrets, h.tokens = append(h.secrets, secret), append(h.tokens, token)
		return secret
	}
	made(b.s.CreateToken(h.lent, identity.NewToken{Principal: user("admin"), Name: "his, by her"}))
	cookie, _, p, err := b.s.SignIn(context.Background(), b.link(h.lent, "admin"))
	if err != nil || len(p.Lent) != 0 {
		b.t.Fatalf("the administrator is %+v, %v", p, err)
	}
	h.cookie = cookie
	admin := actor.With(context.Background(), p)
	his := made(b.s.CreateToken(admin, identity.NewToken{Name: "his own"}))
	program, secret := b.program(admin)
	made(program, secret, nil)
	made(b.s.CreateToken(b.as(his), identity.NewToken{Name: "by a token"}))
	h.links = []string{b.link(admin, "admin"), b.link(b.as(his), "bob")}
	return h
}

// over checks that all of it has ended.
func (b *judged) over(h hops) {
	b.t.Helper()
	if _, _, err := b.s.AuthenticateSession(context.Background(), h.cookie); !fault.Is(err, fault.Unauthenticated) {
		b.t.Errorf("the session of the second hop: %v", err)
	}
	for i, secret := range h.secrets {
		b.refused(secret, h.tokens[i].Name)
	}
	for _, code := range h.links {
		if _, _, _, err := b.s.SignIn(context.Background(), code); !fault.Is(err, fault.Unauthenticated) {
			b.t.Errorf("a link of the second hop: %v", err)
		}
	}
}

// TestWhatComesOfALentSessionEndsWithIt however many hops away, and whoever it is for; what others made stays.
func TestWhatComesOfALentSessionEndsWithIt(t *testing.T) {
	for why, end := range map[string]func(b *judged, h hops) error{
		"sign-out":   func(b *judged, h hops) error { return b.s.SignOut(h.lent) },
		"everywhere": func(b *judged, _ hops) error { return b.s.SignOutEverywhere(b.as(adminToken), user("alice")) },
		"a policy":   func(b *judged, _ hops) error { b.doors("allow { true }"); return nil },
		"the person": func(b *judged, _ hops) error { return b.TryDelete("user:default/alice") },
	} {
		t.Run(why, func(t *testing.T) {
			eachJudged(t, func(t *testing.T, b *judged) {
				b.doors(lendsAdmin)
				others, _ := b.enter("bob")
				kept := b.token("admin")
				h := b.hop()
				if err := end(b, h); err != nil {
					t.Fatal(err)
				}
				b.over(h)
				b.as(kept)
				if _, _, err := b.s.AuthenticateSession(context.Background(), others); err != nil {
					t.Errorf("bob's session: %v", err)
				}
				if told := b.entries("session.ended"); len(told) != 1 || !strings.Contains(strings.ReplaceAll(told[0], `\`, ""), `"sessions":2,"tokens":4`) {
					t.Errorf("the ledger tells %v", told)
				}
			})
		})
	}
}

// TestWhatComesOfALentSessionIsBoundByIt: two hops end no later than it would.
func TestWhatComesOfALentSessionIsBoundByIt(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		until := b.now().Add(7 * 24 * time.Hour)
		_, alice := b.enter("alice")
		b.pass(time.Hour)
		_, _, p, err := b.s.SignIn(context.Background(), b.link(alice, "admin"))
		if err != nil {
			t.Fatal(err)
		}
		admin := actor.With(context.Background(), p)
		b.pass(time.Hour)
		token, secret, err := b.s.CreateToken(admin, identity.NewToken{Principal: user("bob"), Name: "bobs"})
		if err != nil || !token.Expires.Equal(until) {
			t.Errorf("a token is %+v, %v; want its end at %s", token, err, until)
		}
		if _, _, err := b.s.CreateToken(admin, identity.NewToken{Name: "longer", Expires: until.Add(time.Minute)}); !fault.Is(err, fault.Denied) {
			t.Errorf("a token that lasts longer: %v", err)
		}
		if token, _ := b.program(admin); !token.Expires.Equal(until) {
			t.Errorf("a program's token ends at %s, want %s", token.Expires, until)
		}
		// A third hop: bob's session by bob's token, and its token.
		_, _, third, err := b.s.SignIn(context.Background(), b.link(b.as(secret), "bob"))
		if err != nil {
			t.Fatal(err)
		}
		if token, _, err := b.s.CreateToken(actor.With(context.Background(), third), identity.NewToken{Name: "third"}); err != nil || !token.Expires.Equal(until) {
			t.Errorf("a third hop's token is %+v, %v", token, err)
		}
		// Once it has ended, nobody who was on the way makes anything more of it.
		if err := b.s.SignOut(alice); err != nil {
			t.Fatal(err)
		}
		for name, ctx := range map[string]context.Context{"alice": alice, "admin": admin, "bob": actor.With(context.Background(), third)} {
			if _, _, err := b.s.CreateToken(ctx, identity.NewToken{Name: "late"}); !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Denied) {
				t.Errorf("%s makes a token afterwards: %v", name, err)
			}
			if _, err := b.s.SignInLink(ctx, ref.Entity{}); !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Denied) {
				t.Errorf("%s makes a link afterwards: %v", name, err)
			}
		}
	})
}

// TestASecondLentSessionEndsWhatIsItsOwn, and the first one ends both.
func TestASecondLentSessionEndsWhatIsItsOwn(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		_, first := b.enter("alice")
		open := func() context.Context {
			_, _, p, err := b.s.SignIn(context.Background(), b.link(first, "alice"))
			if err != nil || len(p.Lent) != 1 {
				t.Fatalf("she is %+v, %v", p, err)
			}
			return actor.With(context.Background(), p)
		}
		token := func(as context.Context) string {
			_, secret, err := b.s.CreateToken(as, identity.NewToken{Principal: user("admin"), Name: "his"})
			if err != nil {
				t.Fatal(err)
			}
			b.as(secret)
			return secret
		}
		second, third := open(), open()
		ofFirst, ofSecond, ofThird := token(first), token(second), token(third)
		if err := b.s.SignOut(second); err != nil {
			t.Fatal(err)
		}
		b.refused(ofSecond, "of the second")
		b.as(ofFirst)
		b.as(ofThird)
		if err := b.s.SignOut(first); err != nil {
			t.Fatal(err)
		}
		b.refused(ofFirst, "of the first")
		b.refused(ofThird, "of the third")
	})
}

// TestWhatATokenOpenedForOthersEndsWithWhoItIsOf though the lender of both stays.
func TestWhatATokenOpenedForOthersEndsWithWhoItIsOf(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		b.User("carol")
		b.Bind("admin", "default", "user:default/carol")
		others, _ := b.enter("bob")
		_, alice := b.enter("alice")
		_, secret, err := b.s.CreateToken(alice, identity.NewToken{Principal: user("carol"), Name: "hers"})
		if err != nil {
			t.Fatal(err)
		}
		carol := b.as(secret)
		unused := b.link(carol, "bob")
		opened, _, _, err := b.s.SignIn(context.Background(), b.link(carol, "bob"))
		if err != nil {
			t.Fatal(err)
		}
		b.Delete("user:default/carol")
		if _, _, err := b.s.AuthenticateSession(context.Background(), opened); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the session that her token opened: %v", err)
		}
		if _, _, _, err := b.s.SignIn(context.Background(), unused); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the link that her token made: %v", err)
		}
		if _, _, err := b.s.AuthenticateSession(context.Background(), others); err != nil {
			t.Errorf("bob's own session: %v", err)
		}
		if err := b.s.Alive(context.Background(), actor.From(alice)); err != nil {
			t.Errorf("the lender: %v", err)
		}
		b.told("who opened it", `"why":"the person is declared no more","sessions":1,"tokens":1`)
	})
}

// TestManySessionsOfAPolicyEndInOneEntry, more than one statement takes.
func TestManySessionsOfAPolicyEndInOneEntry(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		_, alice := b.enter("alice")
		p := actor.From(alice)
		const many = 1200
		err := b.db.Write(context.Background(), func(tx *store.Tx) error {
			for i := range many {
				_, err := tx.Exec(context.Background(), `INSERT INTO identity_sessions (id, principal, hash, created, used, expires, via, lent)
SELECT $1, $2, $3, created, used, expires, via, lent FROM identity_sessions WHERE id = $4`, ref.NewID(ref.Session, b.now()), ref.NewID(ref.Principal, b.now()), []byte{1, byte(i), byte(i >> 8)}, p.Token)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.doors("allow { true }")
		if told := b.entries("session.ended"); len(told) != 1 || !strings.Contains(strings.ReplaceAll(told[0], `\`, ""), `"sessions":1201`) {
			t.Errorf("the ledger tells %d: %.300v", len(told), told)
		}
		left := -1
		if err := b.db.Read(context.Background(), func(tx *store.Tx) error {
			return tx.QueryRow(context.Background(), `SELECT COUNT(*) FROM identity_sessions`).Scan(&left)
		}); err != nil || left != 0 {
			t.Errorf("%d are left, %v", left, err)
		}
	})
}

// TestAnIdleSessionIsNotResumed by what goes on after it.
func TestAnIdleSessionIsNotResumed(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		cookie, alice := b.enter("alice")
		p := actor.From(alice)
		resumes := func(want bool, why string) {
			t.Helper()
			if _, err := b.s.Resume(context.Background(), p); (err == nil) != want || err != nil && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s: %v", why, err)
			}
		}
		b.pass(11 * time.Hour)
		resumes(true, "after 11 hours")
		if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); err != nil {
			t.Fatal(err)
		}
		b.pass(11 * time.Hour)
		resumes(true, "11 hours after a use that is not written")
		b.pass(time.Hour)
		resumes(false, "12 hours after the last use")
		if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("it is taken: %v", err)
		}
	})
}

// TestNothingIsMadeBesideTheEndOfALentSession: what others are making at the moment of the sign-out ends with it as well.
func TestNothingIsMadeBesideTheEndOfALentSession(t *testing.T) {
	eachJudged(t, func(t *testing.T, b *judged) {
		b.doors(lendsAdmin)
		for range 5 {
			h := b.hop()
			var made sync.WaitGroup
			var mu sync.Mutex
			var secrets, codes []string
			second := b.as(h.secrets[1])
			for _, as := range []context.Context{h.lent, second, h.lent, second} {
				made.Go(func() {
					for range 20 {
						_, secret, err := b.s.CreateToken(as, identity.NewToken{Principal: user("admin"), Name: "meanwhile"})
						code, wrong := b.s.SignInLink(as, user("admin"))
						mu.Lock()
						if err == nil {
							secrets = append(secrets, secret)
						}
						if wrong == nil {
							codes = append(codes, code)
						}
						mu.Unlock()
						if err != nil || wrong != nil {
							if !fault.Is(err, fault.Unauthenticated) && !fault.Is(wrong, fault.Unauthenticated) {
								t.Errorf("refused by %v, %v", err, wrong)
							}
							return
						}
					}
				})
			}
			if err := b.s.SignOut(h.lent); err != nil {
				t.Fatal(err)
			}
			made.Wait()
			for _, secret := range secrets {
				b.refused(secret, "made meanwhile")
			}
			for _, code := range codes {
				if _, _, _, err := b.s.SignIn(context.Background(), code); !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("a link that was made meanwhile: %v", err)
				}
			}
			b.over(h)
		}
	})
}
