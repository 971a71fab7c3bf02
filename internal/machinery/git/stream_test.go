package git_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestReadSomeGivesWhatFitsInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, commit := history(t, b)
	paths := []string{"dir/b.txt", "no", "dir", "out", "dir/link", "empty", "README.md", "dir/deep/bin"}
	all, err := b.git.ReadSome(t.Context(), b.dir, commit, paths, 15, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		if c.Err != nil {
			got = append(got, fault.KindOf(c.Err).String())
			continue
		}
		got = append(got, string(c.Bytes))
	}
	want := []string{fault.TooLarge.String(), fault.NotFound.String(), fault.Invalid.String(), fault.NotFound.String(), "hello\nworld\n", "", "hello\nworld\n", "\x00\x01\x03"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for total, want := range map[int64]int{1: 5, 13: 7, 24: 7, 25: 8} { // what can't be read has no bytes
		if some, err := b.git.ReadSome(t.Context(), b.dir, commit, paths, 15, total); err != nil || len(some) != want {
			t.Errorf("of %d bytes: %d files, %v; want %d", total, len(some), err, want)
		}
	}
	if _, err := b.git.ReadSome(t.Context(), b.dir, commit, []string{"../x"}, 15, 100); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// TestReadSomeSaysWhereALinkLeads: what follows in the stream is read all the same.
func TestReadSomeSaysWhereALinkLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := func(path, to string) git.FileChange {
		return git.FileChange{Path: path, Content: []byte(to), Mode: "120000"}
	}
	commit, err := b.git.Commit(t.Context(), b.dir, request("", git.FileChange{Path: "dir/a.txt", Content: []byte("a\n")},
		link("good", "dir/a.txt"), link("machine", "/etc/passwd"), link("above", "dir/../../x"), link("nowhere", "dir/none.txt"), link("round", "round"), link("there", "back"), link("back", "there"),
		link("through", "dir/a.txt/b"), link("folder", "dir")))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"machine", "above", "nowhere", "round", "there", "through", "dir/a.txt/b", "folder", "none", "good"}
	all, err := b.git.ReadSome(t.Context(), b.dir, commit, paths, 15, 1<<20)
	if err != nil || len(all) != len(paths) {
		t.Fatal(len(all), err)
	}
	want := []string{
		"it is a link that leads out of the repository", "it is a link that leads out of the repository", "it is a link to a file that is not there",
		"it is a link that leads to itself, or through too many others", "it is a link that leads to itself, or through too many others",
		"there is no file through: a part of the way is a file, and no folder", "there is no file dir/a.txt/b: a part of the way is a file, and no folder", "folder is a folder", "there is no file none", "a\n",
	}
	for i, c := range all {
		got := string(c.Bytes)
		if c.Err != nil {
			got = fault.Message(c.Err)
		}
		if got != want[i] {
			t.Errorf("%s: %q, want %q", paths[i], got, want[i])
		}
	}
}

func TestHashesFollowLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, commit := history(t, b)
	got, err := b.git.Hashes(t.Context(), b.dir, commit, []string{"no", "out", "README.md", "dir", "dir/link", "empty"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["README.md"] == "" || got["README.md"] != got["dir/link"] || !strings.HasPrefix(got["empty"], "e69de29") {
		t.Error(got)
	}
}
