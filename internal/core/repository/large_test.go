package repository_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func oid(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// The content of a file of Git LFS is of those repositories alone that it was sent to, and goes some time after the last
// of them, but not while it is sent again.
func TestLargeFilesLiveWithTheirRepositories(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		files, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		alice := accesstest.As("alice")
		b.create("default/one")
		b.create("default/two")
		const content = "large"
		put := func(name string) error {
			return b.PutLarge(alice, "default/"+name, oid(content), int64(len(content)), strings.NewReader(content))
		}
		if err := put("one"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("without a place to keep it: %v", err)
		}
		b.KeepLarge(files)
		has := func(name string) bool {
			f, size, err := b.OpenLarge(accesstest.As("rita"), "default/"+name, oid(content))
			if err != nil {
				if !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
				return false
			}
			defer f.Close()
			got, err := io.ReadAll(f)
			return err == nil && string(got) == content && size == int64(len(content))
		}
		kept := func() bool {
			f, _, err := files.Open(t.Context(), "sha256:"+oid(content))
			if err == nil {
				f.Close()
			}
			return err == nil
		}
		drop := func(before time.Time) {
			t.Helper()
			if err := b.DropLarge(t.Context(), before); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := put("one"); err != nil {
				t.Fatal(err)
			}
		}
		if !has("one") || has("two") {
			t.Errorf("one has it: %v, two: %v", has("one"), has("two"))
		}
		if err := put("two"); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Hour)
		if err := b.Purge(accesstest.As("adam"), "default/one"); err != nil {
			t.Fatal(err)
		}
		drop(later)
		if !has("two") {
			t.Error("it went with one of two repositories")
		}
		if err := b.Delete(accesstest.As("adam"), "default/two"); err != nil {
			t.Fatal(err)
		}
		drop(later)
		if _, err := b.Restore(accesstest.As("adam"), "default/two"); err != nil || !has("two") {
			t.Errorf("it does not come back with its repository: %v", err)
		}
		if err := b.Purge(accesstest.As("adam"), "default/two"); err != nil {
			t.Fatal(err)
		}
		drop(time.Now().Add(-time.Hour))
		if !kept() {
			t.Error("it went at once")
		}

		// While it is being sent to another repository it stays.
		b.create("default/three")
		err = b.PutLarge(alice, "default/three", oid(content), int64(len(content)), reader(func(p []byte) (int, error) {
			drop(later)
			return copy(p, content), io.EOF
		}))
		if err != nil || !has("three") || !kept() {
			t.Errorf("sent meanwhile: %v", err)
		}
		if err := b.Purge(accesstest.As("adam"), "default/three"); err != nil {
			t.Fatal(err)
		}
		drop(later)
		if kept() {
			t.Error("it stays for nobody")
		}
	})
}

type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// Several uploads at once don't come over the limit of their repository together.
func TestLargeFilesAtOnceKeepTheLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		files, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b.KeepLarge(files)
		b.Bound(repository.Limits{Large: 100})
		b.create("default/shop")
		const writers = 4
		ready, gone := make(chan struct{}, writers), make(chan struct{})
		errs := make(chan error, writers)
		for i := range writers {
			content := strings.Repeat(string(rune('a'+i)), 60)
			go func() {
				errs <- b.PutLarge(accesstest.As("alice"), "default/shop", oid(content), 60, reader(func(p []byte) (int, error) {
					ready <- struct{}{}
					<-gone
					return copy(p, content), io.EOF
				}))
			}()
		}
		for range writers {
			<-ready
		}
		close(gone)
		taken := 0
		for range writers {
			if err := <-errs; err == nil {
				taken++
			} else if !fault.Is(err, fault.TooLarge) {
				t.Error(err)
			}
		}
		if taken != 1 {
			t.Errorf("%d of %d were taken", taken, writers)
		}
	})
}

// Locks of files are in the ledger, in pages, and go with their repository.
func TestLocksOfFilesAreKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		files, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b.KeepLarge(files)
		b.create("default/shop")
		alice, bob := accesstest.As("alice"), accesstest.As("bob")
		for _, path := range []string{"a", "b", "c"} {
			if _, err := b.LockFile(alice, "default/shop", path, "refs/heads/main"); err != nil {
				t.Fatal(err)
			}
		}
		first, err := b.LockFile(bob, "default/shop", "./a", "")
		if !fault.Is(err, fault.Conflict) || first.Owner != "pri_alice" || first.Path != "a" {
			t.Errorf("bob locks what alice has: %+v, %v", first, err)
		}
		list := func(ctx context.Context, q repository.FileLockQuery, part page.Request) (paths string, next string) {
			t.Helper()
			locks, err := b.FileLocks(ctx, "default/shop", q, part)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range locks.Items {
				paths += l.Path
			}
			return paths, locks.Next
		}
		part, next := list(bob, repository.FileLockQuery{}, page.Request{Limit: 2})
		rest, end := list(bob, repository.FileLockQuery{}, page.Request{Limit: 2, Cursor: next})
		one, _ := list(bob, repository.FileLockQuery{Path: "b"}, page.Request{})
		if part != "ab" || rest != "c" || end != "" || one != "b" {
			t.Errorf("the lists are %q, %q, %q, %q", part, rest, end, one)
		}
		if _, err := b.UnlockFile(bob, "default/shop", first.ID, true); !fault.Is(err, fault.Denied) {
			t.Errorf("bob takes it away: %v", err)
		}
		if _, err := b.UnlockFile(accesstest.As("adam"), "default/shop", first.ID, false); !fault.Is(err, fault.Denied) {
			t.Errorf("adam takes it away without force: %v", err)
		}
		if _, err := b.UnlockFile(accesstest.As("adam"), "default/shop", first.ID, true); err != nil {
			t.Errorf("adam takes it away: %v", err)
		}
		var told []string
		for _, e := range b.entries("default/shop") {
			if strings.Contains(e.Type, "locked") {
				told = append(told, e.Actor+" "+e.Type)
			}
		}
		b.same("the ledger", told, "pri_alice repository.locked", "pri_alice repository.locked", "pri_alice repository.locked", "pri_adam repository.unlocked")
	})
}
