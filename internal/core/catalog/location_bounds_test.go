package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A look at files that nobody has registered keeps little, however much they declare, and says that there is more.
//
//nolint:paralleltest // it counts what is kept
func TestALookAtFilesIsBounded(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { bigFiles(t, setup(t, storetest.SQLite(t, rooms()...))) })
	t.Run("postgres", func(t *testing.T) { bigFiles(t, setup(t, storetest.Postgres(t, rooms()...))) })
}

func bigFiles(t *testing.T, b *bench) {
	t.Helper()
	alice := accesstest.As("alice")
	documents := func(from, n int, spec string) string {
		var text strings.Builder
		for i := range n {
			text.WriteString(component(fmt.Sprintf("d%05d", from+i), spec))
		}
		return text.String()
	}
	lists := "list: [" + strings.TrimSuffix(strings.Repeat("1, ", 100_000), ", ") + "]"
	aliased := "a: &a " + strings.Repeat("x", 20<<10) + ", b: [" + strings.TrimSuffix(strings.Repeat("*a, ", 7), ", ") + "]"
	for _, c := range []struct {
		what  string
		files map[string]string
		all   bool // is told
		most  int  // entities
	}{
		{what: "few", files: map[string]string{"a/x.yaml": documents(0, 600, ""), "b/x.yaml": documents(600, 600, "")}, all: true, most: 1200},
		{what: "many-documents", files: map[string]string{"a/x.yaml": documents(0, 2000, ""), "b/x.yaml": documents(2000, 2000, ""), "c/x.yaml": documents(4000, 2000, "")}, most: 5000},
		{what: "many-bytes", files: func() map[string]string {
			files := map[string]string{}
			for i := range 15 {
				files[fmt.Sprintf("f%02d/x.yaml", i)] = documents(i*8, 8, lists)
			}
			return files
		}(), most: 112},
		{what: "aliases", files: map[string]string{"a/x.yaml": documents(0, 60, aliased), "b/x.yaml": documents(60, 60, aliased), "c/x.yaml": documents(120, 60, aliased), "d/x.yaml": documents(180, 60, aliased)}, most: 210},
	} {
		t.Run(c.what, func(t *testing.T) {
			inner := *b
			inner.t = t
			name := "team/" + c.what
			inner.repository(alice, "default", name)
			inner.push(alice, name, c.files)

			before := inUse()
			p, err := b.PreviewLocation(alice, "default", catalog.Target{Repository: name, Path: "**/x.yaml"})
			kept := inUse() - before
			told := details(p.Location)
			if err != nil || p.Location.Error != "" || len(p.Entities) == 0 || len(p.Entities) > c.most || strings.Contains(told, "there is more: a dry run tells the first 5000 documents, or 32 MiB") == c.all {
				t.Errorf("%d entities, %q %q, %v", len(p.Entities), p.Location.Error, told, err)
			}
			if c.all && len(p.Entities) != c.most || kept > 64<<20 {
				t.Errorf("%d entities take %d MB", len(p.Entities), kept>>20)
			}
			if text := string(p.Entities[0].Text()); !strings.Contains(text, `"name":"d00000"`) {
				t.Errorf("the first is %.200s", text)
			}

			before = inUse()
			files, err := b.CatalogFiles(alice, "https://roadbed.test/git/"+name, "x.yaml")
			kept = inUse() - before
			switch {
			case c.all:
				if err != nil || len(files) != len(c.files) || len(files[0].Entities) != 600 || kept > 16<<20 {
					t.Errorf("%d files that take %d MB, %v", len(files), kept>>20, err)
				}
			default:
				refused(t, err, fault.TooLarge, "declare more than the 5000 entities or 32 MiB", "**/x.yaml")
			}

			s, err := b.Suggest(alice, "https://roadbed.test/git/"+name+"/x.yaml")
			if err != nil || len(s.Existing) != len(c.files) {
				t.Errorf("it has %v, %v", s.Existing, err)
			}
			runtime.KeepAlive(p)
			runtime.KeepAlive(files)
		})
	}
}

// inUse gives the bytes that are reachable.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// gated has each look wait for a token once it reads files, and finds those of one repository when it is let.
type gated struct {
	catalog.Repositories
	begun  chan struct{}
	tokens chan struct{}
	active *atomic.Int64
	most   *atomic.Int64
	cloned string        // repository
	coming chan struct{} // gets one when its files are looked for
	there  chan struct{} // is closed when it is there
}

func (g gated) Match(ctx context.Context, repository, commit, pattern string) ([]git.TreeEntry, error) {
	if repository == g.cloned {
		g.coming <- struct{}{}
		select {
		case <-g.there:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Repositories.Match(ctx, repository, commit, pattern)
}

func (g gated) gate(ctx context.Context, read func()) error {
	if n := g.active.Add(1); n > g.most.Load() {
		g.most.Store(n)
	}
	defer g.active.Add(-1)
	g.begun <- struct{}{}
	select {
	case <-g.tokens:
	case <-ctx.Done():
		return ctx.Err()
	}
	read()
	return nil
}

func (g gated) ReadFile(ctx context.Context, repository, commit, path string, limit int64) (data []byte, err error) {
	late := g.gate(ctx, func() { data, err = g.Repositories.ReadFile(ctx, repository, commit, path, limit) })
	return data, errors.Join(err, late)
}

func (g gated) ReadSome(ctx context.Context, repository, commit string, files []string, limit, total int64) (some []git.Content, err error) {
	late := g.gate(ctx, func() { some, err = g.Repositories.ReadSome(ctx, repository, commit, files, limit, total) })
	return some, errors.Join(err, late)
}

// Two look at a time; others wait as long as they like.
func TestFewLookAtFilesAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		const all = 8
		b.repository(alice, "default", "team/huge")
		b.push(alice, "team/huge", map[string]string{"catalog-info.yaml": component("huge", "")})
		g := gated{b.repositories.Platform(), make(chan struct{}, all+4), make(chan struct{}), &atomic.Int64{}, &atomic.Int64{}, "team/huge", make(chan struct{}), make(chan struct{})}
		b.Read(g)
		// Who waits for a repository that is cloned holds nobody up.
		var waiting, group sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if _, err := b.PreviewLocation(alice, "default", catalog.Target{Repository: "team/huge"}); err != nil {
					t.Error(err)
				}
			})
			<-g.coming
		}
		look := func(i int) error {
			var err error
			switch i % 3 {
			case 0:
				_, err = b.CatalogFiles(alice, "https://roadbed.test/git/team/shop", "catalog-info.yaml")
			case 1:
				_, err = b.Suggest(alice, "https://roadbed.test/git/team/shop")
			default:
				_, err = b.PreviewLocation(alice, "default", catalog.Target{Repository: "team/shop"})
			}
			return err
		}
		for i := range all {
			group.Go(func() {
				if err := look(i); err != nil {
					t.Error(err)
				}
			})
		}
		<-g.begun
		<-g.begun
		hasty, cancel := context.WithTimeout(alice, 300*time.Millisecond)
		defer cancel()
		_, err := b.CatalogFiles(hasty, "https://roadbed.test/git/team/shop", "catalog-info.yaml")
		refused(t, err, fault.Canceled, "the files were not looked at")
		_, err = b.PreviewLocation(hasty, "default", catalog.Target{Repository: "team/shop"})
		if !fault.Is(err, fault.Canceled) {
			t.Errorf("a third one looked at files: %v", err)
		}
		for range all {
			g.tokens <- struct{}{}
		}
		group.Wait()
		close(g.there)
		for range 3 {
			g.tokens <- struct{}{}
		}
		waiting.Wait()
		if n := g.most.Load(); n != 2 {
			t.Errorf("%d looked at files at once", n)
		}
	})
}
