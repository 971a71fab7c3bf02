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
		if err := s.Put(ctx, "default", "db", []byte(`{"password":"hunter22"}`), ""); err != nil {
			t.Fatal(err)
		}
		first, err := s.List(ctx, "default", page.Request{})
		if err != nil || len(first.Items) != 1 || first.Items[0].Checksum == "" {
			t.Fatalf("list = %v, %v", first, err)
		}
		if err := s.Put(ctx, "default", "db", []byte(`{"password":"other"}`), ""); err != nil {
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

func TestNobodyWithoutRights(t *testing.T) {
	t.Parallel()
	s := setup(t, storetest.SQLite(t, rooms()...))
	if err := s.Put(context.Background(), "default", "x", []byte("y"), ""); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("put gives %v", err)
	}
	stranger := actor.With(context.Background(), actor.Principal{ID: "pri_x", Kind: actor.User, Ref: ref.New("user", "default", "mallory")})
	if err := s.Put(stranger, "default", "x", []byte("y"), ""); !fault.Is(err, fault.Denied) {
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
		if err := s.Put(ctx, "default", bad.name, bad.value, ""); !fault.Is(err, bad.kind) {
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
