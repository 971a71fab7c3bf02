package oidc_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/oidc"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), access.Migrations(), secret.Migrations(), oidc.Migrations()}
}

// issuer is a service whose keys a verifier of somebody else's reads over HTTP.
type issuer struct {
	*oidc.Service
	t   *testing.T
	db  *store.DB
	url string
	ctx context.Context
	now atomic.Int64 // seconds
}

func open(t *testing.T, db *store.DB) *issuer {
	t.Helper()
	i := &issuer{t: t, db: db, ctx: actor.AsSystem(context.Background())}
	i.now.Store(time.Now().Unix())
	clock := func() time.Time { return time.Unix(i.now.Load(), 0) }
	l := ledger.New(db, clock, slog.Default())
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	i.url = "http://" + server.Listener.Addr().String()
	i.Service = oidc.New(db, access.New(db, l, clock, slog.Default()), l, keeper, i.url, clock)
	server.Config.Handler = i.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return i
}

func (i *issuer) token(audience string) string {
	i.t.Helper()
	token, err := i.sign(worker.IDToken{Audience: audience, Subject: "space:default:stack:default/net:run_type:tracked:scope:write",
		Claims: map[string]string{"stack": "default/net", "scope": "write", "iss": "https://evil.test", "exp": "99999999999"}})
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

func (i *issuer) sign(asked worker.IDToken) (token string, err error) {
	err = i.db.Write(i.ctx, func(tx *store.Tx) (err error) {
		token, err = i.IDToken(i.ctx, tx, "run_1", "stp_1", "default", asked)
		return err
	})
	return token, err
}

// verify has a verifier that knows nothing but the issuer's address look at a token.
func (i *issuer) verify(token, audience string) (*gooidc.IDToken, error) {
	i.t.Helper()
	provider, err := gooidc.NewProvider(i.t.Context(), i.url)
	if err != nil {
		i.t.Fatal(err)
	}
	return provider.Verifier(&gooidc.Config{ClientID: audience, Now: func() time.Time { return time.Unix(i.now.Load(), 0) }}).Verify(i.t.Context(), token)
}

func TestAnOutsideVerifierTrustsWhatIsSigned(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		i := open(t, db)
		token := i.token("sts.amazonaws.com")
		got, err := i.verify(token, "sts.amazonaws.com")
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Space, Stack, Run, Scope, JTI string
			NBF                           int64
		}
		if err := got.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		if got.Issuer != i.url || got.Subject != "space:default:stack:default/net:run_type:tracked:scope:write" || got.Expiry.Unix() != i.now.Load()+3600 ||
			got.IssuedAt.Unix() != i.now.Load() || claims.NBF != i.now.Load() || claims.Space != "default" || claims.Stack != "default/net" || claims.Run != "run_1" || claims.Scope != "write" || len(claims.JTI) < 20 {
			t.Errorf("the token says %+v, %+v", got, claims)
		}
		if _, err := i.verify(token, "other.example.com"); err == nil || !strings.Contains(err.Error(), "audience") {
			t.Errorf("another audience takes it: %v", err)
		}
		head, rest, _ := strings.Cut(token, ".")
		body, signature, _ := strings.Cut(rest, ".")
		if _, err := i.verify(head+"."+body+"."+strings.Repeat("A", len(signature)), "sts.amazonaws.com"); err == nil {
			t.Error("a signature of nobody is taken")
		}
		if other := i.token("sts.amazonaws.com"); other == token {
			t.Error("two tokens are the same")
		}
		i.now.Add(3599)
		if _, err := i.verify(token, "sts.amazonaws.com"); err != nil {
			t.Errorf("within its hour: %v", err)
		}
		i.now.Add(2)
		if _, err := i.verify(token, "sts.amazonaws.com"); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after its hour: %v", err)
		}
		for _, asked := range []worker.IDToken{{Subject: "x"}, {Audience: "x"}} {
			if _, err := i.sign(asked); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v gives %v", asked, err)
			}
		}
	}, rooms()...)
}

func TestTokensOutliveTheirKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		i := open(t, db)
		before := i.token("vault")
		i.now.Add(60)
		made, err := i.Rotate(i.ctx)
		if err != nil {
			t.Fatal(err)
		}
		after := i.token("vault")
		for name, token := range map[string]string{"of the key before": before, "of the new key": after} {
			if _, err := i.verify(token, "vault"); err != nil {
				t.Errorf("a token %s: %v", name, err)
			}
		}
		list, err := i.Keys(i.ctx, page.Request{Limit: 1})
		if err != nil || len(list.Items) != 1 || list.Items[0].ID != made.ID || !list.Items[0].Replaced.IsZero() || list.Next == "" {
			t.Fatalf("the newest key is %+v, %v", list, err)
		}
		rest, err := i.Keys(i.ctx, page.Request{Cursor: list.Next})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].Replaced.Unix() != i.now.Load() || rest.Items[0].Ends().Unix() != i.now.Load()+3600+300 {
			t.Errorf("the one before is %+v, %v", rest, err)
		}
		var sealed, old []byte
		err = db.Read(i.ctx, func(tx *store.Tx) error {
			if err := tx.QueryRow(i.ctx, "SELECT sealed FROM oidc_keys WHERE id = $1", made.ID).Scan(&sealed); err != nil {
				return err
			}
			return tx.QueryRow(i.ctx, "SELECT sealed FROM oidc_keys WHERE id <> $1", made.ID).Scan(&old)
		})
		if err != nil || len(old) != 0 || !bytes.HasPrefix(sealed, []byte("age-encryption.org")) {
			t.Errorf("the private halves are %d bytes %.20q and %d bytes, %v", len(sealed), sealed, len(old), err)
		}
		if keys, err := i.Public(i.ctx); err != nil || len(keys) != 2 {
			t.Errorf("verifiers are shown %s, %v", keys, err)
		}
		i.now.Add(3600 + 301)
		if keys, err := i.Public(i.ctx); err != nil || len(keys) != 1 || !bytes.Contains(keys[0], []byte(made.ID)) || bytes.Contains(keys[0], []byte(`"d"`)) {
			t.Errorf("later they are shown %s, %v", keys, err)
		}
		if _, err := i.verify(before, "vault"); err == nil {
			t.Error("a token whose key is forgotten is taken")
		}
		if _, err := i.Rotate(i.ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := i.Keys(i.ctx, page.Request{}); err != nil || len(list.Items) != 2 {
			t.Errorf("kept are %+v, %v", list, err)
		}
		if _, err := i.Keys(i.ctx, page.Request{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a cursor of another list: %v", err)
		}
	}, rooms()...)
}

// Whoever asks first has the first key made, and all who ask at that moment are shown the same.
func TestTheFirstKeyIsOne(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		i := open(t, db)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if keys, err := i.Public(i.ctx); err != nil || len(keys) != 1 {
					t.Errorf("shown are %s, %v", keys, err)
				}
			})
		}
		all.Wait()
		if list, err := i.Keys(i.ctx, page.Request{}); err != nil || len(list.Items) != 1 {
			t.Errorf("kept are %+v, %v", list, err)
		}
	}, rooms()...)
}

func TestWhoMayRotate(t *testing.T) {
	t.Parallel()
	i := open(t, storetest.SQLite(t, rooms()...))
	stranger := actor.With(context.Background(), actor.Principal{ID: "pri_x", Kind: actor.User, Ref: ref.New("user", "default", "mallory")})
	if _, err := i.Rotate(stranger); !fault.Is(err, fault.Denied) {
		t.Errorf("a stranger rotates: %v", err)
	}
	if _, err := i.Keys(stranger, page.Request{}); !fault.Is(err, fault.Denied) {
		t.Errorf("a stranger lists: %v", err)
	}
	if _, err := i.Rotate(context.Background()); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("nobody rotates: %v", err)
	}
}
