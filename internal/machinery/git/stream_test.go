package git_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
