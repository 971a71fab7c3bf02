package repository_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// content is a repository of some size: 2,000 files in 40 commits.
func content(b *testing.B, bench *bench) (folder string) {
	b.Helper()
	parent := ""
	for i := range 40 {
		r := git.CommitRequest{Branch: "main", Parent: parent, Message: fmt.Sprint("commit ", i)}
		for f := range 50 {
			r.Changes = append(r.Changes, git.FileChange{Path: fmt.Sprintf("d%d/f%d.txt", i, f), Content: fmt.Appendf(nil, "file %d of %d\n%0*d\n", f, i, 20*f, i)})
		}
		var err error
		if parent, err = bench.CommitFiles(accesstest.As("alice"), "default/shop", r); err != nil {
			b.Fatal(err)
		}
	}
	folders, _ := filepath.Glob(filepath.Join(bench.dir, "rep_*.git"))
	return folders[0]
}

func BenchmarkClone(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	bench.create("default/shop")
	folder := content(b, bench)
	for name, from := range map[string]string{"served": bench.address("alice", "default/shop"), "git": "file://" + folder} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				target := filepath.Join(bench.home, "clone")
				if out, err := exec.Command("git", "clone", "-q", "--bare", from, target).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				b.StopTimer()
				os.RemoveAll(target)
				b.StartTimer()
			}
		})
	}
}

func BenchmarkCommitFiles(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	bench.create("default/shop")
	parent := ""
	for i := 0; b.Loop(); i++ {
		r := files(parent, "x", fmt.Sprint(i))
		var err error
		if parent, err = bench.CommitFiles(accesstest.As("alice"), "default/shop", r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	for i := 0; b.Loop(); i++ {
		if _, err := bench.Create(accesstest.As("alice"), repository.NewRepository{Name: fmt.Sprint("r", i)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadFile(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	bench.create("default/shop")
	content(b, bench)
	for b.Loop() {
		if _, err := bench.ReadFile(accesstest.As("alice"), "default/shop", "", "d3/f4.txt", 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPush(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	bench.create("default/shop")
	bench.must("", "clone", "-q", bench.address("alice", "default/shop"), "a")
	own := filepath.Join(bench.home, "own.git")
	bench.must("", "init", "-q", "--bare", own)
	for name, to := range map[string]string{"served": bench.address("alice", "default/shop"), "git": "file://" + own} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				bench.commit("a", "x", fmt.Sprint(name, i, b.N))
				b.StartTimer()
				bench.must("a", "push", "-q", to, "HEAD:main")
			}
		})
	}
}

// BenchmarkList reads a page of 10,000 repositories, of which carol may see every hundredth.
func BenchmarkList(b *testing.B) {
	bench := setup(b, storetest.SQLite(b, rooms...), b.TempDir())
	ctx := b.Context()
	err := bench.db.Write(ctx, func(tx *store.Tx) error {
		for i := range 10_000 {
			space := "default"
			if i%100 == 0 {
				space = "lab"
			}
			id, name := fmt.Sprintf("rep_%026d", i), fmt.Sprintf("shop-%d", i)
			if _, err := tx.Exec(ctx, `INSERT INTO repositories (id, namespace, name, space, description, default_branch, protected, archived, created,
				created_by, updated, pushed, generation, dirty, dirty_actor, dirty_platform, dirty_cause, dirty_run, dirty_options, deleted, deleted_by, purge)
				VALUES ($1, $2, $3, $4, 'what it is', 'main', 1, 0, 1, 'x', 1, $5, 0, 0, '', 0, '', '', '', 0, '', 0)`, id, fmt.Sprint("team-", i%97), name, space, i*7919%10_000); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO repository_refs (repository, name, hash, actor, updated) VALUES ($1, 'refs/heads/main', $2, 'x', 1)`, id, git.Zero); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, who string
		query     repository.Query
	}{
		{"ByName", "alice", repository.Query{}},
		{"ByPush", "alice", repository.Query{Pushed: true, Archived: "false"}},
		{"Found", "alice", repository.Query{Text: "shop-99", Pushed: true}},
		{"Nothing", "alice", repository.Query{Text: "nowhere"}},
		{"FewByName", "carol", repository.Query{}},
		{"FewByPush", "carol", repository.Query{Pushed: true}},
		{"OfASpace", "alice", repository.Query{Space: "lab", Pushed: true}},
		{"Late", "alice", repository.Query{Cursor: "team-90/shop-1"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := bench.List(accesstest.As(c.who), c.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
