package repository_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// purgeDeed removes what is due a long time from now, and kills itself where ROADBED_TEST_KILL says: before anything, as
// soon as the rows are gone, or while the folder goes.
func purgeDeed(s *repository.Service, db *store.DB, dir string) {
	kill := func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	way := os.Getenv("ROADBED_TEST_KILL")
	watch := func(seen func() bool) {
		for !seen() {
		}
		kill()
	}
	switch way {
	case "rows":
		go watch(func() (gone bool) {
			_ = db.Read(context.Background(), func(tx *store.Tx) error {
				n := 0
				err := tx.QueryRow(context.Background(), "SELECT COUNT(*) FROM repository_purges").Scan(&n)
				gone = n > 0
				return err
			})
			return gone
		})
	case "folder":
		go watch(func() bool {
			going, _ := filepath.Glob(filepath.Join(dir, "draft-*"))
			return len(going) > 0
		})
	}
	s.At(func() time.Time {
		if way == "clock" {
			kill()
		}
		return time.Now().Add(2 * repository.DefaultGrace)
	}).PurgeDue(accesstest.As("adam"))
}

// leftOver tells what the platform still has of any repository.
func (b *bench) leftOver() string {
	b.t.Helper()
	var left []string
	for _, table := range []string{
		"repositories", "repository_refs", "repository_platform_commits", "repository_large", "repository_file_locks", "repository_imports", "repository_mirrors", "repository_mirror_refs", "repository_purges",
	} {
		if n := kept[int](b, "SELECT COUNT(*) FROM "+table); n > 0 {
			left = append(left, fmt.Sprintf("%d %s", n, table))
		}
	}
	folders, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range folders {
		left = append(left, f.Name())
	}
	return strings.Join(left, ", ")
}

// lives does what a start of the server at a time does, and gives what is left then.
func (b *bench) lives(at time.Time) (left string) {
	b.t.Helper()
	b.purged(at)
	return b.leftOver()
}

// doomed makes a deleted repository with something of everything: a push, a file of Git LFS, a lock of a file.
func (b *bench) doomed(files blob.Store) repository.Repository {
	b.t.Helper()
	alice, adam := accesstest.As("alice"), accesstest.As("adam")
	b.KeepLarge(files)
	r := b.create("default/shop")
	clone := "a" + r.ID
	b.must("", "clone", "-q", b.address("alice", "default/shop"), clone)
	b.commit(clone, "x", "1")
	b.must(clone, "push", "-q", "origin", "HEAD:main")
	if err := b.PutLarge(alice, "default/shop", oid("large"), 5, strings.NewReader("large")); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.LockFile(alice, "default/shop", "x", ""); err != nil {
		b.t.Fatal(err)
	}
	if err := b.Delete(adam, "default/shop"); err != nil {
		b.t.Fatal(err)
	}
	return r
}

// fatten gives a repository many files, so that it takes a moment to remove them.
func (b *bench) fatten(r repository.Repository) {
	b.t.Helper()
	for i := range 2500 {
		folder := filepath.Join(b.dir, r.ID+".git", "objects", fmt.Sprintf("%02x", i%256))
		if i < 256 {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				b.t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%038x", i)), nil, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}

// A purge that was cut off at any of its steps is completed by the next start: no row and no folder is left, the file of Git
// LFS goes when its time is over, and the name is free.
func TestAPurgeThatIsCutOffIsCompleted(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, rooms...)
		b := setup(t, db, t.TempDir())
		files, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		exec := func(query, id string) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), query, id); return err }); err != nil {
				t.Fatal(err)
			}
		}
		later := time.Now().Add(2 * repository.DefaultGrace)
		child := func(way string) func(r repository.Repository) {
			return func(r repository.Repository) {
				for range 5 { // a slow machine may see it too late
					if way != "clock" {
						b.fatten(r)
					}
					if b.purgeKilled(url, way) {
						return
					}
					r = b.doomed(files)
				}
				t.Errorf("the child was never killed at %s", way)
			}
		}
		steps := []struct {
			name string
			cut  func(r repository.Repository)
		}{
			{"nothing is cut off", func(repository.Repository) {}},
			{"killed before the rows go", child("clock")},
			{"killed when the rows are gone", child("rows")},
			{"killed while the folder goes", child("folder")},
			{"the rows are gone and the folder is whole", func(r repository.Repository) {
				folder, aside := filepath.Join(b.dir, r.ID+".git"), filepath.Join(b.home, r.ID)
				must(t, os.Rename(folder, aside))
				b.purged(later)
				must(t, os.Rename(aside, folder))
				exec("INSERT INTO repository_purges (repository) VALUES ($1)", r.ID)
			}},
			{"the folder is out of its place", func(r repository.Repository) {
				must(t, os.Rename(filepath.Join(b.dir, r.ID+".git"), filepath.Join(b.home, r.ID)))
				b.purged(later)
				must(t, os.Rename(filepath.Join(b.home, r.ID), filepath.Join(b.dir, "draft-"+r.ID)))
				exec("INSERT INTO repository_purges (repository) VALUES ($1)", r.ID)
			}},
			{"the folder is gone", func(r repository.Repository) {
				b.purged(later)
				exec("INSERT INTO repository_purges (repository) VALUES ($1)", r.ID)
			}},
		}
		for _, s := range steps {
			r := b.doomed(files)
			s.cut(r)
			b = &bench{Service: open(t, db, b.dir).Service, t: t, db: db, ledger: b.ledger, world: b.world, dir: b.dir, home: b.home, url: b.url}
			b.KeepLarge(files)
			if left := b.lives(later); left != "" {
				t.Errorf("%s: there is left %s", s.name, left)
			}
			must(t, b.DropLarge(t.Context(), later))
			if _, _, err := files.Open(t.Context(), "sha256:"+oid("large")); err == nil {
				t.Errorf("%s: the file of Git LFS stays", s.name)
			}
			if got := b.kinds("default/shop"); !strings.HasSuffix(got, "deleted purged") || strings.Count(got, "created") != strings.Count(got, "purged") {
				t.Errorf("%s: the ledger has %s", s.name, got)
			}
		}
	})
}

// One that is made with the id of a repository whose purge was cut off is not taken for what is left of that.
func TestAPurgeSparesWhatIsMadeAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		r := b.create("default/shop")
		must(t, b.Purge(accesstest.As("adam"), "default/shop"))
		must(t, b.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO repository_purges (repository) VALUES ($1)", r.ID)
			return err
		}))
		if _, err := b.Create(alice, repository.NewRepository{ID: r.ID, Name: "shop"}); err != nil {
			t.Fatal(err)
		}
		b.purged(time.Now())
		if _, err := b.CommitFiles(alice, "default/shop", files("", "x", "y")); err != nil {
			t.Error(err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// purgeKilled runs a child that is killed while it purges; false when it came to its end before.
func (b *bench) purgeKilled(url, way string) bool {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "ROADBED_TEST_CHILD="+url, "ROADBED_TEST_DIR="+b.dir, "ROADBED_TEST_DO=purge", "ROADBED_TEST_KILL="+way)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		b.t.Fatalf("the child ended with %v: %s", err, out)
	}
	return err != nil
}
