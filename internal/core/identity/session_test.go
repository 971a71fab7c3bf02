package identity_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func TestSessionsByLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		link := func(name string) string {
			t.Helper()
			code, err := b.s.SignInLink(b.as(adminToken), user(name))
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		code := link("alice")
		cookie, csrf, p, err := b.s.SignIn(ctx, code)
		if err != nil || p.Ref != user("alice") || !ref.IsID(p.Token, ref.Session) {
			t.Fatalf("signed in as %+v, %v", p, err)
		}
		if _, _, _, err := b.s.SignIn(ctx, code); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the link works twice: %v", err)
		}
		again, csrfAgain, err := b.s.AuthenticateSession(ctx, cookie)
		if err != nil || again.ID != p.ID || csrf == "" || csrf != csrfAgain {
			t.Errorf("the session gives %+v, csrf %q and %q, %v", again, csrf, csrfAgain, err)
		}
		if !identity.SameCSRF(csrf, csrfAgain) || identity.SameCSRF(csrf, csrf+"x") || identity.SameCSRF("", "") {
			t.Error("CSRF tokens compare wrongly")
		}
		b.refused(cookie, "a cookie is no bearer token")

		late := link("alice")
		b.pass(10 * time.Minute)
		if _, _, _, err := b.s.SignIn(ctx, late); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a link works after ten minutes: %v", err)
		}
		for range 13 { // used now and then it lives seven days
			b.pass(11 * time.Hour)
			if _, _, err := b.s.AuthenticateSession(ctx, cookie); err != nil {
				t.Fatalf("after %s: %v", b.now(), err)
			}
		}
		b.pass(168 * time.Hour)
		if _, _, err := b.s.AuthenticateSession(ctx, cookie); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a session lives over seven days: %v", err)
		}
		idle, _, _, err := b.s.SignIn(ctx, link("alice"))
		if err != nil {
			t.Fatal(err)
		}
		b.pass(12 * time.Hour)
		if _, _, err := b.s.AuthenticateSession(ctx, idle); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a session lives over twelve idle hours: %v", err)
		}

		ended, _, p, err := b.s.SignIn(ctx, link("alice"))
		if err != nil {
			t.Fatal(err)
		}
		other, _, _, err := b.s.SignIn(ctx, link("alice"))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.Alive(ctx, p); err != nil {
			t.Errorf("signed in just now: %v", err)
		}
		if err := b.s.SignOut(actor.With(ctx, p)); err != nil {
			t.Fatal(err)
		}
		if err := b.s.Alive(ctx, p); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("signed out, and alive: %v", err)
		}
		if _, _, err := b.s.AuthenticateSession(ctx, ended); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("signed out: %v", err)
		}
		if _, _, err := b.s.AuthenticateSession(ctx, other); err != nil {
			t.Errorf("signing out ended another session: %v", err)
		}
		waiting := link("alice")
		b.Delete("user:default/alice")
		if _, _, err := b.s.AuthenticateSession(ctx, other); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("deleted: %v", err)
		}
		if _, _, _, err := b.s.SignIn(ctx, waiting); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("deleted, by a link: %v", err)
		}
	})
}

// A session that somebody opens with a token of theirs, or from a session that was, ends with that token; one that an
// administrator opens for somebody is that person's.
func TestASessionOutlivesNoTokenThatOpenedIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		opens := func(as context.Context) (cookie string, session context.Context, code string) {
			t.Helper()
			var codes [2]string
			for i := range codes {
				var err error
				if codes[i], err = b.s.SignInLink(as, ref.Entity{}); err != nil {
					t.Fatal(err)
				}
			}
			cookie, _, p, err := b.s.SignIn(ctx, codes[0])
			if err != nil {
				t.Fatal(err)
			}
			return cookie, actor.With(ctx, p), codes[1]
		}
		good := func(cookie string) bool {
			t.Helper()
			_, _, err := b.s.AuthenticateSession(ctx, cookie)
			if err != nil && !fault.Is(err, fault.Unauthenticated) {
				t.Fatal(err)
			}
			return err == nil
		}
		ends := b.now().Add(3 * time.Hour)
		token, secret, err := b.s.CreateToken(b.as(adminToken), identity.NewToken{Principal: user("alice"), Name: "test", Expires: ends})
		if err != nil {
			t.Fatal(err)
		}
		first, session, _ := opens(b.as(secret))
		made, _, err := b.s.CreateToken(session, identity.NewToken{Name: "made with the session"})
		if err != nil || made.Expires.After(ends) {
			t.Errorf("a token that a session made ends %s (%v), after the one that opened the session", made.Expires, err)
		}
		second, _, _ := opens(session)
		if !good(first) || !good(second) {
			t.Fatal("a session is no good at once")
		}
		b.pass(3 * time.Hour)
		if good(first) || good(second) {
			t.Error("a session lives on when its token has expired")
		}

		secret = b.token("alice")
		first, session, waiting := opens(b.as(secret))
		second, _, _ = opens(session)
		theirs, err := b.s.SignInLink(b.as(adminToken), user("alice"))
		if err != nil {
			t.Fatal(err)
		}
		own, _, _, err := b.s.SignIn(ctx, theirs)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := b.s.ListTokens(b.as(adminToken), user("alice"), page.Request{})
		if err != nil || tokens.Items[0].ID == token.ID {
			t.Fatal(tokens, err)
		}
		if err := b.s.RevokeToken(b.as(adminToken), tokens.Items[0].ID); err != nil {
			t.Fatal(err)
		}
		if good(first) || good(second) {
			t.Error("a session lives on when its token is revoked")
		}
		if err := b.s.Alive(session, actor.From(session)); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a session is alive when its token is revoked: %v", err)
		}
		if _, _, _, err := b.s.SignIn(ctx, waiting); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a link works when its token is revoked: %v", err)
		}
		revoked, err := b.authenticate(b.token("alice")) // and then somebody revokes it while a request is under way
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.RevokeToken(b.as(adminToken), revoked.Token); err != nil {
			t.Fatal(err)
		}
		if _, err := b.s.SignInLink(actor.With(ctx, revoked), ref.Entity{}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a link is made with a token that is revoked: %v", err)
		}
		if !good(own) {
			t.Error("a session of an administrator's making ended with another token")
		}
	})
}

// Whoever fails again and again at an address can lock nobody out whose secret can't be guessed, and is slowed down where
// it could be.
func TestOnlyWhatCanBeGuessedIsSlowedDown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := b.token("alice")
		at := identity.From(context.Background(), "192.0.2.1:4711")
		fails := func() (n int) {
			for ; n < 200; n++ {
				if _, err := b.s.Authenticate(at, "guess-of-a-token"); !fault.Is(err, fault.Unauthenticated) {
					break
				}
			}
			return n
		}
		if n := fails(); n == 0 || n == 200 {
			t.Errorf("%d guesses are answered", n)
		}
		if _, err := b.s.Authenticate(at, adminToken); !fault.Is(err, fault.Exhausted) {
			t.Errorf("a token that could be guessed: %v", err)
		}
		if p, err := b.s.Authenticate(at, alice); err != nil || p.Ref != user("alice") {
			t.Errorf("a token that can't be guessed: %v, %v", p.Ref, err)
		}
		if _, err := b.s.Authenticate(identity.From(context.Background(), "192.0.2.2:4711"), adminToken); err != nil {
			t.Errorf("at another address: %v", err)
		}
		b.pass(time.Second)
		if _, err := b.s.Authenticate(at, adminToken); err != nil {
			t.Errorf("a moment later: %v", err)
		}
	})
}

// A token that was right at an address stays so there, whatever others guess at it, until it is wrong.
func TestWhatWasProvedIsNotShutOutByOthersGuesses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		at := identity.From(context.Background(), "192.0.2.1:4711")
		guess := func(token string) fault.Kind {
			_, err := b.s.Authenticate(at, token)
			return fault.KindOf(err)
		}
		if _, err := b.s.Authenticate(at, adminToken); err != nil {
			t.Fatal(err)
		}
		for n := 0; guess(fmt.Sprintf("guess-of-a-token-%d", n)) != fault.Exhausted; n++ {
			if n > 100 {
				t.Fatal("guesses have no bound")
			}
		}
		for range 200 {
			if _, err := b.s.Authenticate(at, adminToken); err != nil {
				t.Fatalf("a token that was right: %v", err)
			}
			if kind := guess("guess-of-a-token"); kind != fault.Exhausted {
				t.Fatalf("a guess is %v", kind)
			}
		}
		if _, err := b.s.Authenticate(identity.From(context.Background(), "192.0.2.1:1"), adminToken); err != nil {
			t.Errorf("by another connection: %v", err)
		}
		if err := b.s.SetAdmin(context.Background(), "another-one-from-the-environment"); err != nil {
			t.Fatal(err)
		}
		if kind := guess(adminToken); kind != fault.Unauthenticated {
			t.Errorf("when it is wrong: %v", kind)
		}
		if kind := guess(adminToken); kind != fault.Exhausted {
			t.Errorf("when it was wrong: %v", kind)
		}
	})
}

func TestALinkIsUsedOnceByTwoAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		code, err := b.s.SignInLink(b.as(adminToken), user("alice"))
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		results := make(chan error, 8)
		for range cap(results) {
			group.Go(func() {
				_, _, _, err := b.s.SignIn(context.Background(), code)
				results <- err
			})
		}
		group.Wait()
		close(results)
		sessions := 0
		for err := range results {
			if err == nil {
				sessions++
			} else if !fault.Is(err, fault.Unauthenticated) {
				t.Error(err)
			}
		}
		if sessions != 1 {
			t.Errorf("the link gave %d sessions", sessions)
		}
	})
}
