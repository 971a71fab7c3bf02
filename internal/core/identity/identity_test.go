package identity_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// bench is one installation: the administrator has signed in by the environment's token, alice and bob are users.
type bench struct {
	*accesstest.World
	t      *testing.T
	db     *store.DB
	s      *identity.Service
	access *access.Service
	shown  map[string]actor.Principal // whoever a bearer token belonged to when it was good
	mu     sync.Mutex
	time   time.Time
}

const adminToken = "the-environment-gives-this-one"

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newBench(t, db)) },
		ledger.Migrations(), access.Migrations(), identity.Migrations())
}

func newBench(t *testing.T, db *store.DB) *bench {
	b := &bench{t: t, db: db, shown: map[string]actor.Principal{}, time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	book := ledger.New(db, b.now, log)
	b.access = access.New(db, book, b.now, log)
	b.s = identity.New(db, b.access, book, b.now, log)
	b.World = accesstest.New(t, db, b.access)
	b.SetUp()
	b.User("alice", "team")
	b.User("bob")
	if err := b.s.SetAdmin(context.Background(), adminToken); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

// authenticate shows a token where it is taken: a step's at the door.
func (b *bench) authenticate(bearer string) (actor.Principal, error) {
	ctx := context.Background()
	if strings.HasPrefix(bearer, "rbw_") {
		ctx = identity.AtDoor(ctx)
	}
	return b.s.Authenticate(ctx, bearer)
}

// as gives the context of whoever a bearer token belongs to.
func (b *bench) as(bearer string) context.Context {
	b.t.Helper()
	p, err := b.authenticate(bearer)
	if err != nil {
		b.t.Fatalf("authenticate: %v", err)
	}
	if err := b.s.Alive(context.Background(), p); err != nil {
		b.t.Errorf("%s has just shown who they are, but: %v", p.Ref, err)
	}
	b.shown[bearer] = p
	return actor.With(context.Background(), p)
}

// token makes a token as the administrator.
func (b *bench) token(who string, scopes ...string) string {
	b.t.Helper()
	r, err := ref.Parse(who, "user", "default")
	if err != nil {
		b.t.Fatal(err)
	}
	_, secret, err := b.s.CreateToken(b.as(adminToken), identity.NewToken{Principal: r, Name: "test", Scopes: scopes})
	if err != nil {
		b.t.Fatal(err)
	}
	b.as(secret)
	return secret
}

func (b *bench) refused(bearer, why string) {
	b.t.Helper()
	if p, err := b.authenticate(bearer); !fault.Is(err, fault.Unauthenticated) {
		b.t.Errorf("%s: %v, %v; want unauthenticated", why, p, err)
	}
	if p, was := b.shown[bearer]; was {
		if err := b.s.Alive(context.Background(), p); !fault.Is(err, fault.Unauthenticated) {
			b.t.Errorf("%s: what was presented is still alive (%v); want unauthenticated", why, err)
		}
	}
}

func user(name string) ref.Entity { return ref.New("user", "default", name) }

func TestATokenTellsWhoItIs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		secret := b.token("alice", "run:read")
		p, err := b.s.Authenticate(context.Background(), secret)
		if err != nil {
			t.Fatal(err)
		}
		if p.Ref != user("alice") || p.Kind != actor.User || !ref.IsID(p.ID, ref.Principal) || !ref.IsID(p.Token, ref.Token) {
			t.Errorf("the principal is %+v", p)
		}
		if !slices.Equal(p.Groups, []string{"group:default/team"}) || !slices.Equal(p.Scopes, []string{"run:read"}) {
			t.Errorf("groups %v, scopes %v", p.Groups, p.Scopes)
		}
		tokens, err := b.s.ListTokens(b.as(adminToken), user("alice"), page.Request{})
		if err != nil || len(tokens.Items) != 1 || !strings.HasPrefix(secret, tokens.Items[0].Prefix) || tokens.Items[0].Used.IsZero() {
			t.Errorf("alice's tokens are %+v, %v", tokens, err)
		}
		if admin := b.as(adminToken); b.access.Authorize(admin, "space:admin", "default") != nil {
			t.Error("the environment's token is not the administrator's")
		}
		for _, forged := range []string{"", "x", "rbt_", secret[:len(secret)-1], secret + "0", strings.ToUpper(secret), "rbw_" + secret[4:], strings.Repeat("a", 10000), flip(secret)} {
			b.refused(forged, "a forged token")
		}
		ids := b.entries("token.created")
		if len(ids) != 2 || strings.Contains(ids[1], "alice") || strings.Contains(ids[1], secret) {
			t.Errorf("the ledger tells %v", ids)
		}
	})
}

// TestNoRowHoldsASecret looks through all of a database for each thing that is shown as a proof. Its hash must be there,
// and nothing beyond the characters that a token is found by.
func TestNoRowHoldsASecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		token := b.token("alice", "run:read")
		link := func() string {
			t.Helper()
			code, err := b.s.SignInLink(b.as(adminToken), user("alice"))
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		session, csrf, _, err := b.s.SignIn(ctx, link())
		if err != nil {
			t.Fatal(err)
		}
		waiting, workload := link(), ""
		err = b.db.Write(ctx, func(tx *store.Tx) (err error) {
			workload, err = b.s.Workload(ctx, tx, ref.NewID(ref.Run, b.now()), ref.NewID(ref.Step, b.now()), "default", []string{"run:read"}, time.Hour)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.as(workload)
		kept := b.values()
		holds := func(part string) bool {
			return slices.ContainsFunc(kept, func(value string) bool { return strings.Contains(value, part) })
		}
		for what, secret := range map[string]string{
			"a token": token, "the environment's token": adminToken, "a session": session, "a link": waiting, "a step's token": workload,
		} {
			if sum := sha256.Sum256([]byte(secret)); !holds(string(sum[:])) {
				t.Errorf("the hash of %s is not there", what)
			}
			if tail := secret[len(secret)-20:]; holds(tail) || holds(hex.EncodeToString([]byte(tail))) {
				t.Errorf("%s is there", what)
			}
		}
		if holds(csrf) {
			t.Error("the second proof of a session is there")
		}
	})
}

// values gives what every row of the database holds, texts and bytes.
func (b *bench) values() (all []string) {
	b.t.Helper()
	var dump bytes.Buffer
	if err := b.db.Dump(context.Background(), &dump); err != nil {
		b.t.Fatal(err)
	}
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
			if raw, err := base64.StdEncoding.DecodeString(v); err == nil { // bytes are written so
				all = append(all, string(raw))
			}
		case []any:
			for _, part := range v {
				add(part)
			}
		case map[string]any:
			for _, part := range v {
				add(part)
			}
		}
	}
	for in := json.NewDecoder(&dump); ; {
		var line any
		err := in.Decode(&line)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			b.t.Fatal(err)
		}
		add(line)
	}
}

// flip changes the last character, which is not part of what a token is found by.
func flip(secret string) string {
	last := byte('0')
	if secret[len(secret)-1] == last {
		last = '1'
	}
	return secret[:len(secret)-1] + string(last)
}

// entries gives what the ledger holds of a type, as text.
func (b *bench) entries(kind string) []string {
	b.t.Helper()
	query := `SELECT subject || ' ' || data FROM ledger_entries WHERE type = $1 ORDER BY position`
	if b.db.Dialect() == store.Postgres { // nothing seals here
		query = `SELECT entry FROM ledger_pending WHERE entry LIKE '%"' || $1 || '"%' ORDER BY number`
	}
	var all []string
	err := b.db.Read(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Query(context.Background(), query, kind)
		all, err = store.Collect(rows, err, func(row store.Row) (text string, err error) {
			err = row.Scan(&text)
			return text, err
		})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		revoked, kept := b.token("alice"), b.token("alice")
		p, _ := b.s.Authenticate(context.Background(), revoked)
		if err := b.s.RevokeToken(b.as(b.token("bob")), p.Token); !fault.Is(err, fault.NotFound) {
			t.Errorf("bob revokes alice's token: %v", err)
		}
		if err := b.s.RevokeToken(b.as(kept), p.Token); err != nil {
			t.Fatal(err)
		}
		b.refused(revoked, "revoked")
		b.as(kept)

		narrow := b.token("alice", "run:read")
		mine, _ := b.s.Authenticate(context.Background(), kept)
		if err := b.s.RevokeToken(b.as(narrow), mine.Token); !fault.Is(err, fault.Denied) {
			t.Errorf("a narrow token ends another one of its owner's: %v", err)
		}
		b.as(kept)
		itself, _ := b.s.Authenticate(context.Background(), narrow)
		if err := b.s.RevokeToken(b.as(narrow), itself.Token); err != nil {
			t.Errorf("a narrow token ends itself: %v", err)
		}
		b.refused(narrow, "revoked by itself")

		old := b.token("bob")
		b.pass(91 * 24 * time.Hour)
		b.refused(old, "expired after 90 days")
		b.as(adminToken) // does not expire

		fresh := b.token("bob")
		b.Delete("user:default/bob")
		b.refused(fresh, "deleted")
		b.User("bob")
		b.refused(fresh, "deleted and made again")
		if err := b.s.SetAdmin(context.Background(), "another-one-from-the-environment"); err != nil {
			t.Fatal(err)
		}
		b.refused(adminToken, "replaced in the environment")
		b.as("another-one-from-the-environment")
		if err := b.s.SetAdmin(context.Background(), ""); err != nil {
			t.Fatal(err)
		}
		b.refused("another-one-from-the-environment", "taken out of the environment")
		for _, weak := range []string{"short", "hunter2!", "nineteen-characters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " + adminToken} {
			if err := b.s.SetAdmin(context.Background(), weak); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "openssl rand -hex 24") {
				t.Errorf("the token %q: %v", weak, err)
			}
		}
		if err := b.s.SetAdmin(context.Background(), "short"); !fault.Is(err, fault.Invalid) {
			t.Errorf("a short token: %v", err)
		}
	})
}

func TestATokenMakesNoMightierOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		narrow := b.as(b.token("alice", "run:*", "repository:write=team/shop"))
		for _, scopes := range [][]string{nil, {"*"}, {"*:read"}, {"stack:read"}, {"repository:write"}, {"repository:write=team/other"}} {
			if _, _, err := b.s.CreateToken(narrow, identity.NewToken{Name: "x", Scopes: scopes}); !fault.Is(err, fault.Denied) {
				t.Errorf("scopes %v: %v; want denied", scopes, err)
			}
		}
		made, _, err := b.s.CreateToken(narrow, identity.NewToken{Name: "x", Scopes: []string{"run:confirm", "repository:write=team/shop"}})
		if err != nil || made.Expires.After(b.now().Add(90*24*time.Hour)) {
			t.Errorf("a narrower token: %+v, %v", made, err)
		}
		if _, err := b.s.SignInLink(narrow, ref.Entity{}); !fault.Is(err, fault.Denied) {
			t.Errorf("a narrowed token makes a session: %v", err)
		}

		b.pass(80 * 24 * time.Hour)
		late, _, err := b.s.CreateToken(narrow, identity.NewToken{Name: "x", Scopes: []string{"run:read"}})
		if err != nil || late.Expires.After(made.Expires) {
			t.Errorf("a token that lasts longer than the one that made it: %+v, %v", late, err)
		}
		if _, _, err := b.s.CreateToken(narrow, identity.NewToken{Name: "x", Scopes: []string{"run:read"}, Expires: b.now().Add(20 * 24 * time.Hour)}); !fault.Is(err, fault.Denied) {
			t.Errorf("it was asked for: %v", err)
		}

		alice := b.as(b.token("alice"))
		if _, _, err := b.s.CreateToken(alice, identity.NewToken{Principal: user("bob"), Name: "x"}); !fault.Is(err, fault.Denied) {
			t.Errorf("alice makes a token for bob: %v", err)
		}
		if _, err := b.s.SignInLink(alice, user("bob")); !fault.Is(err, fault.Denied) {
			t.Errorf("alice signs bob in: %v", err)
		}
		if _, err := b.s.ListTokens(alice, user("bob"), page.Request{}); !fault.Is(err, fault.Denied) {
			t.Errorf("alice lists bob's tokens: %v", err)
		}
		for _, bad := range []identity.NewToken{{}, {Name: "a\nb"}, {Name: "x", Scopes: []string{"what"}}, {Name: "x", Expires: b.now().Add(-time.Hour)}, {Name: "x", Expires: b.now().Add(1000 * 24 * time.Hour)}} {
			if _, _, err := b.s.CreateToken(alice, bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v; want invalid", bad, err)
			}
		}
		if _, _, err := b.s.CreateToken(context.Background(), identity.NewToken{Name: "x"}); err == nil {
			t.Error("nobody made a token")
		}
	})
}

func TestNamesStandOnlyHere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		b.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: carol}, spec: {profile: {displayName: Carol C., email: c@example.org}, memberOf: []}}")
		carol := actor.From(b.as(b.token("carol"))).ID
		names := func() map[string]identity.Display {
			t.Helper()
			var names map[string]identity.Display
			err := b.db.Read(ctx, func(tx *store.Tx) (err error) {
				names, err = b.s.Names(ctx, tx, []string{carol, "system", ref.NewID(ref.Principal, b.now()), "nonsense"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return names
		}
		if got := names(); len(got) != 2 || got[carol].Name != "Carol C." || got[carol].Ref != user("carol") || got["system"].Name == "" {
			t.Errorf("the names are %v", got)
		}
		b.Delete("user:default/carol")
		forgotten := identity.Display{Name: "somebody who was deleted", Deleted: true}
		if got := names(); got[carol] != forgotten {
			t.Errorf("after the deletion: %v", got[carol])
		}
		b.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: carol}, spec: {memberOf: []}}")
		if got := names(); got[carol] != forgotten {
			t.Errorf("when another has her name: %v", got[carol])
		}
		err := b.db.Read(ctx, func(tx *store.Tx) error {
			kept := 0
			err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM identity_principals WHERE id = $1 AND (ref LIKE '%carol%' OR name <> '' OR email <> '' OR description <> '')`, carol).Scan(&kept)
			if kept != 0 {
				t.Error("something of her is kept")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestLastUseIsWrittenLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		secret := b.token("alice")
		b.pass(time.Hour)
		b.as(secret)
		stored := func() (used int64) {
			t.Helper()
			err := b.db.Read(context.Background(), func(tx *store.Tx) error {
				return tx.QueryRow(context.Background(), `SELECT MAX(used) FROM identity_tokens WHERE name = 'test'`).Scan(&used)
			})
			if err != nil {
				t.Fatal(err)
			}
			return used
		}
		if stored() != 0 {
			t.Error("the use was written in the request")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.s.Run(ctx); err != nil { // the last ones are written when it ends
			t.Fatal(err)
		}
		if got := store.FromMicros(stored()); !got.Equal(b.now()) {
			t.Errorf("last used %v; want %v", got, b.now())
		}
	})
}

func TestAnAccountOfAForgeIsOnePersons(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		apply := func(name, login string) {
			b.Apply("default", "{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: "+name+", annotations: {github.com/user-login: "+login+"}}, spec: {memberOf: []}}")
		}
		who := func(host, login string) (id string) {
			t.Helper()
			err := b.db.Read(ctx, func(tx *store.Tx) (err error) {
				id, err = b.s.Account(ctx, tx, host, login)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		apply("carol", "OctoCarol")
		carol := who("github.com", "octocarol")
		if carol == "" || who("GitHub.com", "OctoCarol") != carol || who("gitlab.com", "octocarol") != "" || who("github.com", "carol") != "" {
			t.Errorf("the account is %q's", carol)
		}
		apply("mallory", "octocarol")
		if got := who("github.com", "octocarol"); got != "" {
			t.Errorf("an account that two claim is %q's", got)
		}
		apply("mallory", "mallory")
		if got := who("github.com", "octocarol"); got != carol {
			t.Errorf("once the other has let go it is %q's", got)
		}
		b.Delete("user:default/carol")
		if got := who("github.com", "octocarol"); got != "" {
			t.Errorf("once she is deleted it is %q's", got)
		}
	})
}
