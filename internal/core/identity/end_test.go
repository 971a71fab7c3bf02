package identity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// told checks what the newest entries tell of the end of sessions: one each.
func (b *bench) told(why string, want ...string) {
	b.t.Helper()
	all := b.entries("session.ended")
	if len(all) != len(want) {
		b.t.Errorf("%s: the ledger tells %d times: %v", why, len(all), all)
		return
	}
	for i, text := range want {
		if got := strings.ReplaceAll(all[i], `\`, ""); !strings.Contains(got, text) {
			b.t.Errorf("%s: the ledger tells %s, want %s", why, got, text)
		}
	}
}

// TestWhatEndsWithATokenIsTold in the ledger, once each, and nothing where nothing did.
func TestWhatEndsWithATokenIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := b.as(b.token("alice"))
		mine := actor.From(alice)
		enter := func() {
			t.Helper()
			for range 2 {
				code, err := b.s.SignInLink(alice, ref.Entity{})
				if err != nil {
					t.Fatal(err)
				}
				if _, _, _, err := b.s.SignIn(context.Background(), code); err != nil {
					t.Fatal(err)
				}
			}
		}
		enter()
		other, _, err := b.s.CreateToken(b.as(adminToken), identity.NewToken{Principal: user("alice"), Name: "other"})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.RevokeToken(alice, other.ID); err != nil {
			t.Fatal(err)
		}
		b.told("a token without sessions")
		if err := b.s.RevokeToken(alice, mine.Token); err != nil {
			t.Fatal(err)
		}
		b.told("a token with two", `"why":"the token was revoked","sessions":2,"tokens":0,"ids":["ses_`)
		if err := b.s.RevokeToken(b.as(adminToken), mine.Token); err != nil {
			t.Fatal(err)
		}
		b.told("the same again", `"sessions":2`)

		// The administrator's token of the environment is another one, and then none.
		sign := func(token string) {
			t.Helper()
			code, err := b.s.SignInLink(b.as(token), ref.Entity{})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := b.s.SignIn(context.Background(), code); err != nil {
				t.Fatal(err)
			}
		}
		sign(adminToken)
		revoked := len(b.entries("token.revoked"))
		another := "another-" + adminToken
		if err := b.s.SetAdmin(context.Background(), another); err != nil {
			t.Fatal(err)
		}
		b.told("another administrator's token", `"sessions":2`, `"why":"ROADBED_ADMIN_TOKEN is another one","sessions":1`)
		if got := len(b.entries("token.revoked")); got != revoked+1 {
			t.Errorf("the end of the administrator's token is told %d times", got-revoked)
		}
		sign(another)
		for range 2 {
			if err := b.s.SetAdmin(context.Background(), ""); err != nil {
				t.Fatal(err)
			}
		}
		b.told("no administrator's token", `"sessions":2`, `is another one","sessions":1`, `"why":"ROADBED_ADMIN_TOKEN is set no more","sessions":1`)
	})
}

// TestWhatEndsWithWhoItIsOfIsTold: the tokens and sessions of a person, and of a machine.
func TestWhatEndsWithWhoItIsOfIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.User("nobody")
		alice := b.as(b.token("alice"))
		b.token("alice")
		code, err := b.s.SignInLink(alice, ref.Entity{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := b.s.SignIn(context.Background(), code); err != nil {
			t.Fatal(err)
		}
		b.Delete("user:default/nobody")
		b.told("who has nothing")
		b.Delete("user:default/alice")
		b.told("a person", `"why":"the person is declared no more","sessions":1,"tokens":2`)
		if all := b.entries("session.ended"); !strings.Contains(all[0], actor.From(alice).ID) || strings.Contains(all[0], "alice") {
			t.Errorf("the entry is %s", all[0])
		}
		m, err := b.s.CreateMachine(b.as(adminToken), identity.NewMachine{Name: "robot"})
		if err != nil {
			t.Fatal(err)
		}
		b.token(m.Ref.String())
		if err := b.s.DeleteMachine(b.as(adminToken), m.Ref); err != nil {
			t.Fatal(err)
		}
		b.told("a machine", `"sessions":1`, `"why":"the machine was deleted","sessions":0,"tokens":1`)
	})
}

// TestAnEndThatIsNotToldIsNone: the entry is in the same transaction.
func TestAnEndThatIsNotToldIsNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		secret := b.token("alice")
		alice := b.as(secret)
		code, err := b.s.SignInLink(alice, ref.Entity{})
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, _, err := b.s.SignIn(context.Background(), code)
		if err != nil {
			t.Fatal(err)
		}
		err = b.db.Write(context.Background(), func(tx *store.Tx) error {
			refuse := "CREATE TRIGGER refuse BEFORE INSERT ON ledger_entries WHEN NEW.type = 'session.ended' BEGIN SELECT RAISE(ABORT, 'refused'); END"
			if b.db.Dialect() == store.Postgres {
				refuse = `ALTER TABLE ledger_pending ADD CONSTRAINT refused CHECK (entry NOT LIKE '%"session.ended"%')`
			}
			_, err := tx.Exec(context.Background(), refuse)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.RevokeToken(alice, actor.From(alice).Token); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("it is revoked without an entry: %v", err)
		}
		if all := b.entries("token.revoked"); len(all) != 0 {
			t.Errorf("the ledger tells of what did not happen: %v", all)
		}
		if _, err := b.authenticate(secret); err != nil {
			t.Errorf("the token: %v", err)
		}
		if _, _, err := b.s.AuthenticateSession(context.Background(), cookie); err != nil {
			t.Errorf("its session: %v", err)
		}
	})
}
