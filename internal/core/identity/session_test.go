package identity_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
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
