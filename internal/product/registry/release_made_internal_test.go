package registry

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// onDisk is one repository on disk.
type onDisk struct {
	Repositories
	git *git.Git
	dir string
}

func (f onDisk) Head(ctx context.Context, _, name string) (string, error) {
	return f.git.Resolve(ctx, f.dir, name)
}

func (f onDisk) IsAncestor(ctx context.Context, _, ancestor, commit string) (bool, error) {
	return f.git.IsAncestor(ctx, f.dir, ancestor, commit)
}

func (f onDisk) ArchiveAt(ctx context.Context, _, commit, subpath string) (io.ReadCloser, error) {
	return f.git.Archive(ctx, f.dir, commit, subpath)
}

func (onDisk) ReadFiles(context.Context, string, string, []string, int64) (map[string][]byte, error) {
	return nil, nil
}

func (onDisk) Pusher(context.Context, string, string, string) (string, error) {
	return "", fault.Errorf(fault.NotFound, "nobody pushed it")
}

// TestAVersionIsToldWhereItIsMade and by nobody who did not make it; what was pushed away makes none.
func TestAVersionIsToldWhereItIsMade(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := actor.AsSystem(t.Context())
		log := slog.New(slog.DiscardHandler)
		g, err := git.New("", log)
		if err != nil {
			t.Fatal(err)
		}
		at := onDisk{git: g, dir: filepath.Join(t.TempDir(), "net.git")}
		if err := g.Init(ctx, at.dir); err != nil {
			t.Fatal(err)
		}
		commit := func(parent, text string) string {
			t.Helper()
			hash, err := g.Commit(ctx, at.dir, git.CommitRequest{
				Branch: "main", Parent: parent, Author: git.Signature{Name: "alice", Email: "alice@example.com", When: time.Now()}, Message: text,
				Changes: []git.FileChange{{Path: "main.tf", Content: []byte("variable \"" + text + "\" {}\n")}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return hash
		}
		first := commit("", "first")
		second := commit(first, "second")
		if err := g.UpdateRef(ctx, at.dir, "refs/heads/main", second, first); err != nil {
			t.Fatal(err)
		}
		third := commit(first, "third")

		book := ledger.New(db, time.Now, log)
		files, err := blob.OpenFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := &Service{Deps{DB: db, Ledger: book, Queue: queue.New(db, log), Blob: files, Access: access.New(db, book, time.Now, log), Repositories: at, Now: time.Now, Log: log}}
		m := Module{Ref: ref.New("module", "default", "net"), Space: "default"}
		for hash, want := range map[string]bool{first: true, second: false, third: true} {
			if is, err := s.onBranch(ctx, m, found{commit: hash, ref: "refs/heads/main"}); err != nil || is != want {
				t.Errorf("%s is on the branch: %v, %v", hash, is, err)
			}
		}

		told := 0
		build := func(version, hash string) bool {
			t.Helper()
			made, err := s.makeVersion(ctx, m, found{version: version, commit: hash, ref: "refs/heads/main"}, func(*store.Tx) error { told++; return nil })
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
		if build("1.0.0", first) || told != 0 {
			t.Error("a version of a module that is gone is made, or told")
		}
		err = db.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO registry_modules (ref, space, name, system, repository, owner, title, description, spec, message, updated)
 VALUES ($1, 'default', 'net', 'null', 'crew/net', '', '', '', '{}', '', 0)`, m.Ref.String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !build("1.0.0", first) || told != 1 {
			t.Errorf("it is told %d times", told)
		}
		if build("1.0.0", third) || told != 1 {
			t.Errorf("what is there already is told %d times", told)
		}
		_, err = s.makeVersion(ctx, m, found{version: "2.0.0", commit: third, ref: "refs/heads/main"}, func(*store.Tx) error { return fault.Errorf(fault.Unavailable, "no room") })
		var have []Version
		if readErr := db.Read(ctx, func(tx *store.Tx) (err error) { have, err = versionsOf(ctx, tx, m.Ref); return err }); readErr != nil || !fault.Is(err, fault.Unavailable) || len(have) != 1 {
			t.Errorf("what can't be told is made: %+v, %v, %v", have, err, readErr)
		}
	}, ledger.Migrations(), queue.Migrations(), access.Migrations(), Migrations())
}
