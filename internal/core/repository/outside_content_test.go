package repository_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// files commits files in a clone.
func (b *bench) files(clone string, files map[string]string) string {
	b.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(b.home, clone, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(files[name], "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				b.t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(files[name]), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	b.must(clone, "add", "-A")
	b.must(clone, "commit", "-q", "-m", "files")
	return b.must(clone, "rev-parse", "HEAD")
}

func (b *bench) mirror(r repository.Repository) string { return filepath.Join(b.dir, r.ID+".git") }

// unfetched makes sure that no git has spoken with the forge, and that there is no folder.
func (b *bench) unfetched(a *away, r repository.Repository) {
	b.t.Helper()
	if n := a.spoken.Load(); n > 0 || isThere(b.mirror(r)) {
		b.t.Errorf("git spoke with the forge %d times; a mirror: %v", n, isThere(b.mirror(r)))
	}
}

// history reads what git alone can tell.
func (b *bench) history(r repository.Repository) []git.Commit {
	b.t.Helper()
	log, err := b.Log(accesstest.As("alice"), r.FullName(), "", "", page.Request{})
	if err != nil {
		b.t.Fatal(err)
	}
	return log.Items
}

func (a *away) moved(at int64) { a.set(func(a *away) { a.there.Changed = time.Unix(at, 0) }) }

func (b *bench) polled(r repository.Repository) {
	b.t.Helper()
	if err := b.Look(b.t.Context(), r.ID); err != nil {
		b.t.Fatal(err)
	}
}

func pushOf(ref, before, now string) forge.Event {
	return forge.Event{
		Kind: forge.KindPush, Repository: forge.Repository{ID: "7", Name: "acme/Shop"}, Sender: forge.Person{ID: "41", Login: "bob-at-forge"},
		Push: &forge.Push{Ref: ref, Old: before, New: now},
	}
}

// A repository that is read by API is followed without a clone, by webhooks and by polling, and each push is told once. When
// somebody needs its history it is cloned, and nothing of that is told as a push.
func TestARepositoryIsFollowedByAPI(t *testing.T) {
	byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
		told := []string{"system refs/heads/main " + nothing + " " + short(first)}
		same := func() {
			t.Helper()
			b.same("pushes", b.pushes("default/shop"), told...)
		}
		same()
		if data := string(b.entries("default/shop")[1].Data); r.Head != first || r.Outside.Fetched.IsZero() || !strings.Contains(data, repository.OptionSkip) {
			t.Errorf("the repository is %+v, told by %s", r, data)
		}

		second := b.commit("work", "x", "2\n")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		a.moved(2000)
		for range 2 {
			b.polled(r)
		}
		told = append(told, "system refs/heads/main "+short(first)+" "+short(second))
		same()
		if data := string(b.entries("default/shop")[2].Data); strings.Contains(data, repository.OptionSkip) {
			t.Errorf("a push that was polled starts nothing: %s", data)
		}

		third := b.commit("work", "x", "3\n")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:fresh", "HEAD:side")
		for _, e := range []forge.Event{
			pushOf("refs/heads/main", second, third), pushOf("refs/heads/main", second, third), pushOf("refs/heads/main", first, second),
			pushOf("refs/heads/fresh", "", third), pushOf("refs/heads/side", first, third),
		} {
			if _, err := b.Handle(t.Context(), "default/forge", e); err != nil {
				t.Fatal(err)
			}
		}
		told = append(told, "pri_bob refs/heads/main "+short(second)+" "+short(third), "pri_bob refs/heads/fresh "+nothing+" "+short(third),
			"pri_bob refs/heads/side "+short(first)+" "+short(third))
		same()
		b.must("work", "push", "-q", "origin", ":fresh")
		a.moved(3000)
		b.polled(r)
		told = append(told, "system refs/heads/fresh "+short(third)+" "+nothing)
		same()
		b.unfetched(a, r)

		// It is not told that another branch was there, when somebody asks for it; what is pushed to it later is.
		b.must("work", "push", "-q", "origin", first+":refs/heads/known", first+":refs/heads/other", "HEAD:refs/tags/v1")
		p := b.Platform()
		for range 2 {
			if head, err := p.Head(t.Context(), "default/shop", "known"); err != nil || head != first {
				t.Errorf("the branch is at %q, %v", head, err)
			}
		}
		if head, err := p.Head(t.Context(), "default/shop", "v1"); err != nil || head != third {
			t.Errorf("the tag is at %q, %v", head, err)
		}
		var asked int64
		for range 3 {
			if _, err := p.Head(t.Context(), "default/shop", "none"); !fault.Is(err, fault.NotFound) || asked > 0 && a.asked.Load() != asked {
				t.Errorf("a branch that is not there: %v, after %d more questions", err, a.asked.Load()-asked)
			}
			asked = a.asked.Load()
		}
		same()
		b.must("work", "push", "-q", "origin", second+":refs/heads/known")
		a.moved(4000)
		b.polled(r)
		told = append(told, "system refs/heads/known "+short(first)+" "+short(second))
		same()
		b.unfetched(a, r)

		// Its history is read from a mirror. What had moved just before is told, what was there is not.
		fourth := b.commit("work", "x", "4\n")
		b.must("work", "push", "-q", "origin", "HEAD:main")
		if log := b.history(r); log[0].Hash != third || len(b.history(r)) != 4 {
			t.Errorf("the history is %+v", log)
		}
		told = append(told, "system refs/heads/main "+short(third)+" "+short(fourth))
		same()
		b.mirrors(a, r)
		b.must("work", "push", "-q", "origin", "HEAD:refs/tags/v2", "HEAD:late")
		b.fetch()
		told = append(told, "system refs/heads/late "+nothing+" "+short(fourth), "system refs/tags/v2 "+nothing+" "+short(fourth))
		same()

		// Without the mirror it is read by API again, and nothing is missed.
		if dropped, err := b.Drop(t.Context(), r.ID); !dropped || err != nil {
			t.Fatalf("it was not dropped: %v", err)
		}
		b.must("work", "push", "-q", "origin", ":late", "HEAD:refs/tags/v3")
		b.fetch()
		told = append(told, "system refs/heads/late "+short(fourth)+" "+nothing, "system refs/tags/v3 "+nothing+" "+short(fourth))
		same()
		if text, err := p.ReadFile(t.Context(), "default/shop", "", "x", 10); err != nil || string(text) != "4\n" {
			t.Errorf("the file is %q, %v", text, err)
		}
		if isThere(b.mirror(r)) {
			t.Error("a mirror that was dropped is back without a reader who needs it")
		}
		b.history(r)
		same()
		b.mirrors(a, r)
	})
}

// What the API tells is what git tells.
func TestFilesReadByAPI(t *testing.T) {
	files := map[string]string{
		"catalog-info.yaml": "kind: Component\n", "docs/index.md": "# Shop\n", "services/a/catalog-info.yaml": "a: 1\n", "services/b/catalog-info.yaml": "no line end",
		"services/b/deep/more.yaml": "x\n", "odd/a b#?.txt": "odd\n", "empty": "", "large": strings.Repeat("x\n", 1<<20),
	}
	byAPI(t, files, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
		second := b.files("work", map[string]string{"services/a/catalog-info.yaml": "a: 2\n", "docs/new.md": "new\n"})
		b.must("work", "push", "-q", "origin", "HEAD:main")
		a.moved(2000)
		b.polled(r)
		ctx, p := t.Context(), b.Platform()
		// each is what a reader tells, in words.
		read := func() (said []string) {
			say := func(what string, value any, err error) {
				if err != nil {
					value = fault.KindOf(err)
				}
				said = append(said, fmt.Sprintf("%s: %.300v", what, value))
			}
			for _, rev := range []string{"", "main", "side", first} {
				head, err := p.Head(ctx, "default/shop", rev)
				say("the head of "+rev, head, err)
			}
			for _, path := range []string{"catalog-info.yaml", "services/b/catalog-info.yaml", "none", "services/none/x", "services", "", "../x", "/x", "odd/a b#?.txt", "empty", "large"} {
				text, err := p.ReadFile(ctx, "default/shop", first, path, 1000)
				say("the file "+path, string(text), err)
			}
			for _, pattern := range []string{
				"catalog-info.yaml", "services/*/catalog-info.yaml", "**/*.yaml", "none", "none/*", "services", "services/b/catalog-info.yaml", "docs/**", "empty", "large", "[", "a/../../x", "",
			} {
				found, err := p.Match(ctx, "default/shop", second, pattern)
				for i := range found {
					found[i].Size = 0 // git doesn't tell it here
				}
				slices.SortFunc(found, func(a, b git.TreeEntry) int { return strings.Compare(a.Path, b.Path) })
				say("what matches "+pattern, found, err)
			}
			all := []string{"catalog-info.yaml", "none", "services/a/catalog-info.yaml", "services", "large", "empty"}
			some, err := p.ReadSome(ctx, "default/shop", second, all, 1000, 1<<20)
			for i, one := range some {
				say("some: "+all[i], string(one.Bytes), one.Err)
			}
			say("some", len(some), err)
			some, err = p.ReadSome(ctx, "default/shop", second, all, 1000, 1)
			say("as many as there is room for", len(some), err)
			hashes, err := p.Hashes(ctx, "default/shop", second, all)
			say("hashes", hashes, err)
			found, err := p.ReadFiles(ctx, "default/shop", second, []string{"catalog-info.yaml", "none", "empty"}, 1000)
			say("files", found, err)
			_, err = p.ReadFiles(ctx, "default/shop", second, []string{"catalog-info.yaml", "docs/index.md"}, 17)
			say("more than they may have", nil, err)
			for _, folder := range []string{"services", "none", "", "docs"} {
				list, err := p.Files(ctx, "default/shop", second, folder)
				slices.Sort(list)
				say("files below "+folder, list, err)
				list, err = p.FilesIn(ctx, "default/shop", second, folder)
				say("files in "+folder, list, err)
			}
			changed, err := p.ChangedPaths(ctx, "default/shop", first, second)
			say("changed", changed, err)
			standing, err := p.Standing(ctx, "default/shop", first, second)
			say("standing", standing, err)
			return said
		}
		byAPI := read()
		b.unfetched(a, r)
		b.history(r)
		b.mirrors(a, r)
		if byGit := read(); !reflect.DeepEqual(byAPI, byGit) {
			b.same("what the API tells", byAPI, byGit...)
		}
	})
}

// What goes through a symbolic link, is too much for an API, or is cut there, git reads.
func TestWhatAnAPICanNotTellIsReadByGit(t *testing.T) {
	files := map[string]string{
		"real/catalog-info.yaml": "kind: Component\n", "link.yaml": "-> real/catalog-info.yaml", "linked": "-> real", "out": "-> ../secret", "nowhere": "-> none", "round": "-> round",
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("many/%d", i)
		files[many[i]] = "x\n"
	}
	for name, read := range map[string]func(ctx context.Context, b *bench, a *away, commit string) (string, error){
		"a link": func(ctx context.Context, b *bench, _ *away, commit string) (string, error) {
			text, err := b.Platform().ReadFile(ctx, "default/shop", commit, "link.yaml", 100)
			return string(text), err
		},
		"a folder that is a link": func(ctx context.Context, b *bench, _ *away, commit string) (string, error) {
			text, err := b.Platform().ReadFile(ctx, "default/shop", commit, "linked/catalog-info.yaml", 100)
			return string(text), err
		},
		"one of some": func(ctx context.Context, b *bench, _ *away, commit string) (string, error) {
			some, err := b.Platform().ReadSome(ctx, "default/shop", commit, []string{"link.yaml"}, 100, 100)
			if err != nil {
				return "", err
			}
			return string(some[0].Bytes), some[0].Err
		},
		"the hash of what it leads to": func(ctx context.Context, b *bench, a *away, commit string) (string, error) {
			hashes, err := b.Platform().Hashes(ctx, "default/shop", commit, []string{"link.yaml", "real/catalog-info.yaml"})
			if err != nil || hashes["link.yaml"] == "" || hashes["link.yaml"] != hashes["real/catalog-info.yaml"] {
				return fmt.Sprint(hashes), err
			}
			return "kind: Component\n", nil
		},
		"more files than are asked for": func(ctx context.Context, b *bench, _ *away, commit string) (string, error) {
			found, err := b.Platform().ReadFiles(ctx, "default/shop", commit, append([]string{"real/catalog-info.yaml"}, many...), 1000)
			if len(found) != len(many)+1 {
				return fmt.Sprint(found), err
			}
			return string(found["real/catalog-info.yaml"]), err
		},
		"a list that is cut": func(ctx context.Context, b *bench, a *away, commit string) (string, error) {
			a.set(func(a *away) { a.cut = true })
			found, err := b.Platform().Glob(ctx, "default/shop", commit, "many/*")
			if len(found) != len(many) {
				return fmt.Sprint(found), err
			}
			return "kind: Component\n", err
		},
	} {
		t.Run(name, func(t *testing.T) {
			byAPI(t, files, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
				if found, err := b.Platform().Match(t.Context(), "default/shop", first, "link.yaml"); err != nil || len(found) != 1 || found[0].Mode != "120000" {
					t.Errorf("the link is %+v, %v", found, err)
				}
				b.unfetched(a, r)
				text, err := read(t.Context(), b, a, first)
				if err != nil || text != "kind: Component\n" {
					t.Errorf("it reads %q, %v", text, err)
				}
				b.mirrors(a, r)
				for _, file := range []string{"out", "nowhere", "round"} {
					if _, err := b.Platform().ReadFile(t.Context(), "default/shop", first, file, 100); !fault.Is(err, fault.NotFound) {
						t.Errorf("%s: %v", file, err)
					}
				}
			})
		})
	}
}

// A forge that does not answer says nothing about files, nor does one that has lost sight of the repository.
func TestAForgeThatIsAwaySaysNothing(t *testing.T) {
	byAPI(t, map[string]string{"x": "1\n", "deep/y": "2\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
		ctx, p := t.Context(), b.Platform()
		before := len(b.types())
		for _, kind := range []fault.Kind{fault.Unavailable, fault.Exhausted, fault.Denied, fault.Unauthenticated, fault.NotFound} {
			a.set(func(a *away) { a.unseen = fault.Errorf(kind, "the forge says %s", kind) })
			for what, read := range map[string]func() error{
				"a file":    func() error { _, err := p.ReadFile(ctx, "default/shop", first, "deep/y", 10); return err },
				"none":      func() error { _, err := p.ReadFile(ctx, "default/shop", first, "deep/none", 10); return err },
				"a match":   func() error { _, err := p.Match(ctx, "default/shop", first, "x"); return err },
				"a pattern": func() error { _, err := p.Match(ctx, "default/shop", first, "deep/*"); return err },
				"some":      func() error { _, err := p.ReadSome(ctx, "default/shop", first, []string{"x"}, 10, 10); return err },
				"hashes":    func() error { _, err := p.Hashes(ctx, "default/shop", first, []string{"x"}); return err },
			} {
				if err := read(); !fault.Is(err, fault.Unavailable) {
					t.Errorf("%s of a forge that says %v: %v", what, kind, err)
				}
			}
			if kind == fault.NotFound { // the repository is there, so its branches are gone
				continue
			}
			a.moved(5000 + int64(kind))
			if _, err := b.Fetch(accesstest.As("alice"), "default/shop"); !fault.Is(err, kind) {
				t.Errorf("a look: %v", err)
			}
		}
		// It was there, and is not when its branches are asked for.
		a.moved(9000)
		a.set(func(a *away) { a.unseen, a.leaves = nil, true })
		if _, err := b.Fetch(accesstest.As("alice"), "default/shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a repository that is gone: %v", err)
		}
		a.set(func(a *away) { a.leaves, a.fails = false, nil })
		if head, err := p.Head(ctx, "default/shop", ""); err != nil || head != first {
			t.Errorf("the head is %q, %v", head, err)
		}
		b.fetch()
		if got := slices.DeleteFunc(b.types()[before:], func(s string) bool { return s == "troubled" || s == "recovered" }); len(got) > 0 {
			t.Errorf("the ledger has %v more", got)
		}
		b.unfetched(a, r)
		if err := a.git.UpdateRef(ctx, a.dir, "refs/heads/main", first, ""); err != nil { // gone indeed
			t.Fatal(err)
		}
		b.fetch()
		b.same("pushes", b.pushes("default/shop"), "system refs/heads/main "+nothing+" "+short(first), "system refs/heads/main "+short(first)+" "+nothing)
	})
}

// Another default branch is told as such, and its head, which nobody pushed, starts nothing. Of an empty repository the first push
// is one.
func TestTheDefaultBranchByAPI(t *testing.T) {
	byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
		second := b.commit("work", "x", "2\n")
		b.must("work", "push", "-q", "origin", "HEAD:next")
		a.set(func(a *away) { a.there.DefaultBranch = "next" })
		got := b.fetch()
		if head, err := b.Platform().Head(t.Context(), "default/shop", ""); err != nil || head != second || got.Head != second {
			t.Errorf("the head is %q, %v; the repository is %+v", head, err, got)
		}
		b.same("entries", b.types(), "connected", "pushed", "changed", "pushed")
		if data := string(b.entries("default/shop")[3].Data); !strings.Contains(data, repository.OptionSkip) {
			t.Errorf("the head of another branch starts something: %s", data)
		}
		b.unfetched(a, r)
	})
	t.Run("of an empty repository", func(t *testing.T) {
		outside(t, func(t *testing.T, b *bench, a *away) {
			r := b.read()
			if _, err := b.Platform().Head(t.Context(), "default/shop", ""); !fault.Is(err, fault.NotFound) {
				t.Errorf("the head of nothing: %v", err)
			}
			first := b.commit("work", "x", "1\n")
			b.must("work", "push", "-q", "origin", "HEAD:main")
			if _, err := b.Handle(t.Context(), "default/forge", pushOf("refs/heads/main", "", first)); err != nil {
				t.Fatal(err)
			}
			b.same("pushes", b.pushes("default/shop"), "pri_bob refs/heads/main "+nothing+" "+short(first))
			if data := string(b.entries("default/shop")[1].Data); strings.Contains(data, repository.OptionSkip) {
				t.Errorf("the first push starts nothing: %s", data)
			}
			if isThere(b.mirror(r)) {
				t.Error("it was cloned")
			}
		})
	})
}

// A mirror that was filled, and not recorded when the server was killed, is recorded as it would have been.
func TestAMirrorThatWasNotRecorded(t *testing.T) {
	for name, settle := range map[string]func(ctx context.Context, b *bench, r repository.Repository) error{
		"at the start": func(ctx context.Context, b *bench, r repository.Repository) error { return b.Settle(ctx, r.ID) },
		"by a look": func(_ context.Context, b *bench, _ repository.Repository) error {
			_, err := b.Fetch(accesstest.As("alice"), "default/shop")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
				second := b.commit("work", "x", "2\n")
				b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:another")
				b.must("", "clone", "-q", "--mirror", a.address(), b.mirror(r))
				for range 2 {
					if err := settle(t.Context(), b, r); err != nil {
						t.Fatal(err)
					}
				}
				b.same("pushes", b.pushes("default/shop"), "system refs/heads/main "+nothing+" "+short(first), "system refs/heads/main "+short(first)+" "+short(second))
				b.mirrors(a, r)
			})
		})
	}
}

// From the clone on a branch that is new was pushed, also when the clone brought nothing that was not known, and when it was not
// recorded.
func TestABranchThatIsNewAfterTheClone(t *testing.T) {
	for name, cloned := range map[string]func(b *bench, a *away, r repository.Repository){
		"for a reader": func(b *bench, _ *away, r repository.Repository) { b.history(r) },
		"and killed": func(b *bench, a *away, r repository.Repository) {
			b.must("", "clone", "-q", "--mirror", a.address(), b.mirror(r))
		},
	} {
		t.Run(name, func(t *testing.T) {
			byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
				b.must("work", "push", "-q", "origin", ":side")
				cloned(b, a, r)
				b.must("work", "push", "-q", "origin", "HEAD:fresh")
				b.fetch()
				b.same("pushes", b.pushes("default/shop"), "system refs/heads/main "+nothing+" "+short(first), "system refs/heads/fresh "+nothing+" "+short(first))
				b.mirrors(a, r)
			})
		})
	}
}

// More branches than are asked for one by one are listed at once, and still those alone are followed that somebody asked for.
func TestManyBranchesByAPI(t *testing.T) {
	byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, first string) {
		refs := []string{"push", "-q", "origin"}
		for i := range 30 {
			refs = append(refs, fmt.Sprintf("HEAD:branch-%d", i))
		}
		b.must("work", refs...)
		for i := range 25 {
			if head, err := b.Platform().Head(t.Context(), "default/shop", fmt.Sprintf("branch-%d", i)); err != nil || head != first {
				t.Fatalf("branch %d is at %q, %v", i, head, err)
			}
		}
		second := b.commit("work", "x", "2\n")
		b.must("work", "push", "-q", "origin", "HEAD:branch-3", "HEAD:branch-29")
		b.fetch()
		b.same("pushes", b.pushes("default/shop"), "system refs/heads/main "+nothing+" "+short(first), "system refs/heads/branch-3 "+short(first)+" "+short(second))
		var all [][2]string
		for i := range 30 {
			all = append(all, [2]string{"default/shop", fmt.Sprintf("branch-%d", i)})
		}
		rows, err := b.Platform().HeadsOf(t.Context(), all)
		if err != nil || len(rows) != 25 || isThere(b.mirror(r)) {
			t.Errorf("%d rows, %v; a mirror: %v", len(rows), err, isThere(b.mirror(r)))
		}
		// Who lists them sees all.
		if refs, err := b.Refs(accesstest.As("alice"), "default/shop"); err != nil || len(refs) != 32 || !isThere(b.mirror(r)) {
			t.Errorf("%d branches, %v", len(refs), err)
		}
	})
}

func TestConnectByAnUnknownWay(t *testing.T) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, _ *away) {
		_, err := b.Connect(accesstest.As("alice"), repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop", Content: "ftp"})
		if !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

// Of a repository of which only files are read, an unchanged one costs one question: what others follow there is asked for once, and
// when somebody has it looked at.
func TestWhatIsBesideFilesIsAskedForOnce(t *testing.T) {
	byAPI(t, map[string]string{"x": "1\n"}, func(t *testing.T, b *bench, a *away, r repository.Repository, _ string) {
		b.Join(repository.OutsideOptions{Forges: a, Accounts: a, Poll: time.Millisecond})
		beside := make(chan string, 100)
		b.Beside(0, func(_ context.Context, id string) error {
			beside <- id
			return nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		for range 2 {
			if _, err := b.FetchSoon(accesstest.As("alice"), "default/shop"); err != nil {
				t.Fatal(err)
			}
			<-beside
		}
		for asked := a.asked.Load(); a.asked.Load() < asked+3; {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(beside) > 0 || isThere(b.mirror(r)) {
			t.Errorf("it is asked for %d times more; a mirror: %v", len(beside), isThere(b.mirror(r)))
		}
	})
}
