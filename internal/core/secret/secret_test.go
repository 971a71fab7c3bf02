package secret_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func setup(t *testing.T, db *store.DB) *secret.Service {
	t.Helper()
	l := ledger.New(db, time.Now, slog.Default())
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(db, access.New(db, l, time.Now, slog.Default()), l, keeper, time.Now)
}

func rooms() []store.Migrations {
	return []store.Migrations{ledger.Migrations(), access.Migrations(), secret.Migrations()}
}

func TestValuesGoInAndOnlyOutToTheirSpace(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := setup(t, db)
		ctx := actor.AsSystem(context.Background())
		if err := s.Put(ctx, "default", "db", secret.Change{Value: []byte(`{"password":"hunter22"}`)}); err != nil {
			t.Fatal(err)
		}
		first, err := s.List(ctx, "default", page.Request{})
		if err != nil || len(first.Items) != 1 || first.Items[0].Checksum == "" {
			t.Fatalf("list = %v, %v", first, err)
		}
		if err := s.Put(ctx, "default", "db", secret.Change{Value: []byte(`{"password":"other"}`)}); err != nil {
			t.Fatal(err)
		}
		second, err := s.List(ctx, "default", page.Request{})
		if err != nil || second.Items[0].Checksum == first.Items[0].Checksum {
			t.Errorf("the checksum of another value is the same (%v)", err)
		}
		resolve := func(space string, refs ...string) (values map[string]string, err error) {
			err = db.Read(ctx, func(tx *store.Tx) (err error) {
				values, err = s.Resolve(ctx, tx, space, refs)
				return err
			})
			return values, err
		}
		values, err := resolve("default", "default/db", "default/db#password")
		if err != nil || values["default/db#password"] != "other" || values["default/db"] != `{"password":"other"}` {
			t.Errorf("resolved %v, %v", values, err)
		}
		for _, r := range []string{"default/none", "other/db", "db", "default/db#none"} {
			if _, err := resolve("default", r); !fault.Is(err, fault.NotFound) {
				t.Errorf("resolving %s gives %v, want not found", r, err)
			}
		}
		var sealed []byte
		err = db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, "SELECT sealed FROM secrets WHERE name = 'db'").Scan(&sealed)
		})
		if err != nil || bytes.Contains(sealed, []byte("other")) {
			t.Errorf("the database holds the value in the clear (%v)", err)
		}
		if err := s.Delete(ctx, "default", "db", ""); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, "default", "db", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("deleting again gives %v", err)
		}
	}, rooms()...)
}

// TestWhoIsGivenASecret: runs of its own space are; those below when it is shared, and none when it is the platform's.
func TestWhoIsGivenASecret(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := setup(t, db)
		ctx := actor.AsSystem(context.Background())
		world := accesstest.New(t, db, access.New(db, ledger.New(db, time.Now, slog.Default()), time.Now, slog.Default()))
		world.Space("team", "default")
		world.Space("other", "default")
		yes, no := true, false
		change := func(c secret.Change) {
			t.Helper()
			if err := s.Put(ctx, "default", "forge", c); err != nil {
				t.Fatal(err)
			}
		}
		given := func(to func(context.Context, *store.Tx, string, []string) (map[string]string, error), space string) string {
			t.Helper()
			var values map[string]string
			err := db.Read(ctx, func(tx *store.Tx) (err error) {
				values, err = to(ctx, tx, space, []string{"default/forge"})
				return err
			})
			switch {
			case fault.Is(err, fault.NotFound):
				return "gone"
			case fault.Is(err, fault.Denied):
				return "denied"
			case err != nil:
				t.Fatal(err)
			}
			return values["default/forge"]
		}
		for _, c := range []struct {
			change                                         secret.Change
			run, below, platform, platformBelow, described string
		}{
			{secret.Change{Value: []byte("one")}, "one", "gone", "one", "gone", "a new one"},
			{secret.Change{Shared: &yes}, "one", "one", "one", "one", "shared, with its value kept"},
			{secret.Change{Value: []byte("two")}, "two", "two", "two", "two", "set anew, and shared still"},
			{secret.Change{Platform: &yes}, "denied", "denied", "two", "two", "the platform's"},
			{secret.Change{Shared: &no}, "denied", "gone", "two", "gone", "the platform's here"},
			{secret.Change{Value: []byte("three"), Platform: &no}, "three", "gone", "three", "gone", "as in the beginning"},
		} {
			change(c.change)
			if run, below, platform, platformBelow := given(s.Hand, "default"), given(s.Hand, "team"), given(s.Resolve, "default"), given(s.Resolve, "team"); run != c.run || below != c.below || platform != c.platform || platformBelow != c.platformBelow {
				t.Errorf("%s: a run gets %s, one below %s, the platform %s and %s", c.described, run, below, platform, platformBelow)
			}
		}
		if err := s.Put(ctx, "team", "own", secret.Change{Value: []byte("x"), Shared: &yes}); err != nil {
			t.Fatal(err)
		}
		for _, space := range []string{"default", "other"} { // above, and beside
			err := db.Read(ctx, func(tx *store.Tx) error {
				_, err := s.Resolve(ctx, tx, space, []string{"team/own"})
				return err
			})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("space %s is given a secret of team: %v", space, err)
			}
		}
		if err := s.Put(ctx, "default", "missing", secret.Change{Shared: &yes}); !fault.Is(err, fault.NotFound) {
			t.Errorf("sharing what is not there gives %v", err)
		}
		list, err := s.List(ctx, "team", page.Request{})
		if err != nil || len(list.Items) != 1 || !list.Items[0].Shared || list.Items[0].Platform {
			t.Errorf("the list is %+v, %v", list.Items, err)
		}
	}, rooms()...)
}

func TestNobodyWithoutRights(t *testing.T) {
	t.Parallel()
	s := setup(t, storetest.SQLite(t, rooms()...))
	if err := s.Put(context.Background(), "default", "x", secret.Change{Value: []byte("y")}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("put gives %v", err)
	}
	stranger := actor.With(context.Background(), actor.Principal{ID: "pri_x", Kind: actor.User, Ref: ref.New("user", "default", "mallory")})
	if err := s.Put(stranger, "default", "x", secret.Change{Value: []byte("y")}); !fault.Is(err, fault.Denied) {
		t.Errorf("put gives %v", err)
	}
	if _, err := s.List(stranger, "default", page.Request{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("list gives %v", err)
	}
	if err := s.Delete(stranger, "default", "x", ""); !fault.Is(err, fault.Denied) {
		t.Errorf("delete gives %v", err)
	}
	ctx := actor.AsSystem(context.Background())
	for _, bad := range []struct {
		name  string
		value []byte
		kind  fault.Kind
	}{{"../x", []byte("v"), fault.Invalid}, {"x", nil, fault.Invalid}, {"x", make([]byte, secret.MaxValue+1), fault.TooLarge}} {
		if err := s.Put(ctx, "default", bad.name, secret.Change{Value: bad.value}); !fault.Is(err, bad.kind) {
			t.Errorf("put %q of %d bytes gives %v, want %v", bad.name, len(bad.value), err, bad.kind)
		}
	}
}

func TestKeyIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	first, err := secret.OpenKeeper(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := first.Seal([]byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.OpenKeeper(dir)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed); err != nil || string(plain) != "state" {
		t.Errorf("opened %q, %v", plain, err)
	}
	info, err := os.Stat(filepath.Join(dir, "age.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := again.Open(sealed); err == nil {
		t.Error("what was tampered with opens")
	}
	if err := os.WriteFile(filepath.Join(dir, "age.key"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.OpenKeeper(dir); !fault.Is(err, fault.Invalid) {
		t.Errorf("a broken key gives %v", err)
	}
}

func TestWhatIsSealedWhileItIsReadIsOpenedWhileItIsRead(t *testing.T) {
	t.Parallel()
	k, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 64 << 10, 1<<20 + 7} {
		plain := bytes.Repeat([]byte("s3cret."), size/7+1)[:size]
		r := k.Sealing(bytes.NewReader(plain))
		sealed, err := io.ReadAll(r)
		if err != nil || r.Close() != nil {
			t.Fatal(err)
		}
		if size > 10 && bytes.Contains(sealed, []byte("s3cret")) {
			t.Errorf("%d bytes can be read as they lie", size)
		}
		opened, err := k.Opening(bytes.NewReader(sealed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(opened); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %d bytes, %v; want the %d that were sealed", len(got), err, size)
		}
		if cut, err := k.Opening(bytes.NewReader(sealed[:len(sealed)-1])); err == nil {
			if _, err := io.ReadAll(cut); err == nil {
				t.Errorf("%d bytes that were cut short are taken", size)
			}
		}
	}
	broken := k.Sealing(iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := io.ReadAll(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that breaks gives %v", err)
	}
	if err := k.Sealing(rand.Reader).Close(); err != nil { // nobody read it; its goroutine ends
		t.Error(err)
	}
}
