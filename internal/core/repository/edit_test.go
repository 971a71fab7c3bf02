package repository_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// one is an edit of one file.
func one(branch, path, text string, base *string) repository.Edit {
	return repository.Edit{Branch: branch, Message: "edit " + path, Changes: []repository.FileEdit{{Path: path, Content: []byte(text), Base: base}}}
}

// An edit goes on top of whatever was pushed meanwhile, unless that touched the same file.
func TestEditsKeepWhatTheyDidNotSee(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.create("default/shop")
		none := ""
		first, err := b.Edit(alice, "default/shop", one("", "run.sh", "1\r\n2", &none))
		if err != nil {
			t.Fatalf("the first file of an empty repository: %v", err)
		}
		if content, err := b.ReadFile(alice, "default/shop", "", "run.sh", 100); err != nil || string(content) != "1\r\n2" {
			t.Errorf("it is %q, %v", content, err)
		}
		if _, err := b.CommitFiles(alice, "default/shop", git.CommitRequest{Branch: "main", Parent: first, Message: "mode", Changes: []git.FileChange{
			{Path: "run.sh", Content: []byte("1\r\n2"), Mode: "100755"}, {Path: "dir/a", Content: []byte("a")}, {Path: "dir/link", Content: []byte("a"), Mode: "120000"},
		}}); err != nil {
			t.Fatal(err)
		}
		seen, err := b.Entry(alice, "default/shop", "main", "run.sh")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Edit(alice, "default/shop", one("main", "other", "x", nil)); err != nil {
			t.Fatal(err)
		}
		second, err := b.Edit(accesstest.As("bob"), "default/shop", one("main", "run.sh", "3", &seen.Hash))
		if err != nil {
			t.Fatalf("though another file was pushed: %v", err)
		}
		now, err := b.Entry(alice, "default/shop", second, "run.sh")
		if err != nil || now.Mode != "100755" {
			t.Errorf("it is %+v, %v", now, err)
		}
		if link, err := b.Entry(alice, "default/shop", "", "dir/link"); err != nil || link.Target != "a" {
			t.Errorf("the link is %+v, %v", link, err)
		}
		for name, c := range map[string]struct {
			edit repository.Edit
			kind fault.Kind
			says string
		}{
			"an older file":         {one("main", "run.sh", "4", &seen.Hash), fault.Conflict, "changed meanwhile"},
			"one that is there":     {one("main", "other", "4", &none), fault.Conflict, "already"},
			"one that is gone":      {one("main", "nowhere", "4", &seen.Hash), fault.Conflict, "deleted meanwhile"},
			"a folder":              {one("main", "dir", "4", nil), fault.Conflict, "is a folder"},
			"below a file":          {one("main", "run.sh/x", "4", nil), fault.Conflict, "is no folder"},
			"nothing new":           {one("main", "run.sh", "3", nil), fault.Invalid, "nothing to commit"},
			"no message":            {repository.Edit{Changes: []repository.FileEdit{{Path: "x"}}}, fault.Invalid, "message"},
			"no file":               {repository.Edit{Message: "x"}, fault.Invalid, "1 to 100"},
			"twice":                 {repository.Edit{Message: "x", Changes: []repository.FileEdit{{Path: "x"}, {Path: "x"}}}, fault.Invalid, "twice"},
			"out":                   {one("main", "../x", "4", nil), fault.Invalid, ""},
			"absolute":              {one("main", "/x", "4", nil), fault.Invalid, ""},
			"git's own":             {one("main", "a/.GIT/config", "4", nil), fault.Invalid, "can't be written"},
			"a bad submodule":       {one("main", ".gitmodules", "[submodule \"x\"]\npath = x\nurl = -u./evil\n", nil), fault.Invalid, ""},
			"a bad branch":          {one("-x", "a", "4", nil), fault.Invalid, "branch"},
			"a branch that is not":  {one("none", "a", "4", nil), fault.NotFound, "begin"},
			"a base that is not":    {one("main", "a", "4", ptr("../x")), fault.Invalid, "hash"},
			"large":                 {one("main", "a", strings.Repeat("x", 6<<20), nil), fault.TooLarge, ""},
			"a mode that is not":    {repository.Edit{Message: "x", Changes: []repository.FileEdit{{Path: "x", Mode: "160000"}}}, fault.Invalid, "mode"},
			"a deleted one is gone": {repository.Edit{Message: "x", Changes: []repository.FileEdit{{Path: "x", Delete: true}}}, fault.Conflict, "not there"},
		} {
			_, err := b.Edit(alice, "default/shop", c.edit)
			if told := fault.Message(err) + fmt.Sprint(fault.Details(err)); !fault.Is(err, c.kind) || !strings.Contains(told, c.says) {
				t.Errorf("%s: %v %s", name, err, told)
			}
		}
		branch := one("fix/it", "dir/a", "b", nil)
		branch.From = "main"
		third, err := b.Edit(alice, "default/shop", branch)
		if err != nil {
			t.Fatal(err)
		}
		if log, err := b.Log(alice, "default/shop", "fix/it", "", page.Request{Limit: 2}); err != nil || log.Items[0].Hash != third || log.Items[1].Hash != second {
			t.Errorf("the branch is %+v, %v", log, err)
		}
		if _, err := b.Edit(alice, "default/shop", branch); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same branch again: %v", err)
		}
		if _, err := b.Edit(alice, "default/shop", repository.Edit{Branch: "fix/it", Message: "away", Changes: []repository.FileEdit{{Path: "dir/a", Delete: true}}}); err != nil {
			t.Error(err)
		}
		b.chain("default/shop")
		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "carol": fault.NotFound} {
			if _, err := b.Edit(accesstest.As(who), "default/shop", one("main", "x", "y", nil)); !fault.Is(err, kind) {
				t.Errorf("%s edits: %v", who, err)
			}
		}
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Archived: ptr(true)}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Edit(alice, "default/shop", one("main", "x", "y", nil)); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "archived") {
			t.Errorf("archived: %v", err)
		}
	})
}

// Files that are no texts come as they are, several in one commit, and all of them or none.
func TestUploadsComeWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.create("default/shop")
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		files := []repository.FileEdit{
			{Path: "docs/every.bin", Content: every, Base: ptr("")}, {Path: "docs/empty", Base: ptr("")}, {Path: "docs/Ünïcode name.txt", Content: []byte("x"), Base: ptr("")},
		}
		first, err := b.Edit(alice, "default/shop", repository.Edit{Message: "upload", Changes: files})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if got, err := b.ReadFile(alice, "default/shop", first, f.Path, 1000); err != nil || !slices.Equal(got, f.Content) {
				t.Errorf("%s is %q, %v", f.Path, got, err)
			}
		}
		again := []repository.FileEdit{{Path: "new.bin", Content: every, Base: ptr("")}, {Path: "docs/every.bin", Content: []byte("other"), Base: ptr("")}}
		_, err = b.Edit(alice, "default/shop", repository.Edit{Message: "upload", Changes: again})
		if details := fault.Details(err); !fault.Is(err, fault.Conflict) || len(details) != 1 || details[0].Field != "changes[1]" {
			t.Errorf("one of them is there: %v %v", err, details)
		}
		large := []repository.FileEdit{{Path: "a", Content: make([]byte, 3<<20)}, {Path: "b", Content: make([]byte, 3<<20)}}
		if _, err := b.Edit(alice, "default/shop", repository.Edit{Message: "upload", Changes: large}); !fault.Is(err, fault.TooLarge) {
			t.Errorf("together they are large: %v", err)
		}
		if now, err := b.Commit(alice, "default/shop", ""); err != nil || now.Hash != first {
			t.Errorf("something was committed: %+v, %v", now, err)
		}
		b.chain("default/shop")
	})
}

func ptr[T any](v T) *T { return &v }

func TestBranchesAndTagsAreMade(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.create("default/shop")
		if _, err := b.CreateBranch(alice, "default/shop", repository.NewRef{Name: "x"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("of an empty repository: %v", err)
		}
		first := b.commits("main", "", 1)
		second := b.commits("main", first, 2) // the first of them changes nothing
		if at, err := b.CreateBranch(alice, "default/shop", repository.NewRef{Name: "old", At: first}); err != nil || at != first {
			t.Fatalf("at %s, %v", at, err)
		}
		for _, n := range []repository.NewRef{{Name: "v1", At: "old"}, {Name: "v2", Message: "The second\n\nwith words"}} {
			if _, err := b.CreateTag(alice, "default/shop", n); err != nil {
				t.Fatal(err)
			}
		}
		refs, err := b.Refs(alice, "default/shop")
		if err != nil {
			t.Fatal(err)
		}
		var branches, marks []repository.Ref
		for _, r := range refs {
			if strings.HasPrefix(r.Name, "refs/heads/") {
				branches = append(branches, r)
			} else {
				marks = append(marks, r)
			}
		}
		facts, err := b.BranchFacts(alice, "default/shop", branches)
		if err != nil {
			t.Fatal(err)
		}
		if f := facts["refs/heads/old"]; f.Behind != 1 || f.Ahead != 0 || !f.Counted || f.Protected || f.Commit.Hash != first {
			t.Errorf("old is %+v", f)
		}
		if f := facts["refs/heads/main"]; f.Behind != 0 || !f.Protected || f.Commit.Hash != second {
			t.Errorf("main is %+v", f)
		}
		tags, commits, err := b.TagFacts(alice, "default/shop", marks)
		if err != nil || tags["v2"].Message != "The second\n\nwith words" || tags["v2"].Tagger.Name != "alice" || tags["v2"].Commit != second || tags["v1"].Commit != first {
			t.Errorf("tags are %+v, %v", tags, err)
		}
		for _, m := range marks {
			if commits[m.Hash].Hash == "" {
				t.Errorf("%s leads nowhere: %v", m.Name, commits)
			}
		}
		for name, c := range map[string]struct {
			do   func() error
			kind fault.Kind
		}{
			"a branch again": {func() error {
				_, err := b.CreateBranch(alice, "default/shop", repository.NewRef{Name: "old"})
				return err
			}, fault.Conflict},
			"a tag again": {func() error { _, err := b.CreateTag(alice, "default/shop", repository.NewRef{Name: "v1"}); return err }, fault.Conflict},
			"a hash":      {func() error { _, err := b.CreateTag(alice, "default/shop", repository.NewRef{Name: first}); return err }, fault.Invalid},
			"an option":   {func() error { _, err := b.CreateTag(alice, "default/shop", repository.NewRef{Name: "-d"}); return err }, fault.Invalid},
			"a path": {func() error {
				_, err := b.CreateBranch(alice, "default/shop", repository.NewRef{Name: "../x"})
				return err
			}, fault.Invalid},
			"of nothing": {func() error {
				_, err := b.CreateTag(alice, "default/shop", repository.NewRef{Name: "v3", At: "none"})
				return err
			}, fault.NotFound},
			"of no commit": {func() error {
				_, err := b.CreateTag(alice, "default/shop", repository.NewRef{Name: "v3", At: strings.Repeat("1", 40)})
				return err
			}, fault.NotFound},
			"rita's": {func() error {
				_, err := b.CreateTag(accesstest.As("rita"), "default/shop", repository.NewRef{Name: "v3"})
				return err
			}, fault.Denied},
			"carol's": {func() error {
				_, err := b.CreateTag(accesstest.As("carol"), "default/shop", repository.NewRef{Name: "v3"})
				return err
			}, fault.NotFound},
			"delete no tag":     {func() error { return b.RemoveTag(alice, "default/shop", "v3", "") }, fault.NotFound},
			"delete what isn't": {func() error { return b.RemoveTag(alice, "default/shop", "../heads/main", "") }, fault.Invalid},
			"rita deletes":      {func() error { return b.RemoveTag(accesstest.As("rita"), "default/shop", "v1", "") }, fault.Denied},
		} {
			if err := c.do(); !fault.Is(err, c.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := b.RemoveTag(alice, "default/shop", "v2", ""); err != nil {
			t.Error(err)
		}
		b.chain("default/shop")
		r, err := b.Get(alice, "default/shop")
		if err != nil {
			t.Fatal(err)
		}
		b.sound(r)
	})
}

func TestListsOfRepositoriesAreOrdered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			b.create("default/" + name)
		}
		for _, name := range []string{"c", "a", "d"} {
			if _, err := b.Edit(alice, "default/"+name, one("", "x", name, nil)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Update(accesstest.As("adam"), "default/d", repository.Change{Archived: ptr(true)}); err != nil {
			t.Fatal(err)
		}
		for want, q := range map[string]repository.Query{
			"a b c d e": {Creator: "pri_alice"}, "": {Creator: "pri_bob"}, "d a c e b": {Pushed: true}, "d": {Archived: "true"}, "a c e b": {Archived: "false", Pushed: true},
		} {
			for _, limit := range []int{1, 2, 200} {
				q.Limit, q.Cursor = limit, ""
				var got []string
				for {
					part, err := b.List(alice, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range part.Items {
						got = append(got, r.Name)
					}
					if q.Cursor = part.Next; q.Cursor == "" {
						break
					}
				}
				if !slices.Equal(got, strings.Fields(want)) {
					t.Errorf("%+v gives %v, want %s", q, got, want)
				}
			}
		}
		for _, q := range []repository.Query{{Cursor: "x"}, {Cursor: "x default/a", Pushed: true}, {Cursor: "default/a", Pushed: true}} {
			if _, err := b.List(alice, q); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", q, err)
			}
		}
	})
}
