package repository_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/disktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// A push ends before it fills the disk, with a word to whoever pushes: nothing is left of it and nothing else comes to harm,
// be it many files or one that git keeps in its memory until it is whole. With space again the same push goes through.
func TestAPushLeavesSomeOfTheDisk(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		disktest.Small(t, dir, "48m")
		b := setup(t, db, dir)
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		noise := func(size int) string {
			content := make([]byte, size)
			rand.Read(content)
			return string(content)
		}
		for i := range 5 {
			b.commit("a", fmt.Sprint("part", i), noise(5<<20))
		}
		b.must("a", "branch", "many")
		b.must("a", "reset", "-q", "--hard", first)
		b.commit("a", "whole", noise(25<<20))
		b.must("a", "branch", "one")

		free := disktest.Fill(t, dir, 20<<20)
		for _, branch := range []string{"many", "one"} {
			b.refused("the disk of the server is full; nothing was changed, ask its administrator to free some space", "a", "push", "origin", branch)
			left, err := filepath.Glob(filepath.Join(dir, r.ID+".git", "objects", "*incoming*"))
			if err != nil || len(left) > 0 {
				t.Errorf("of %s there is left %v, %v", branch, left, err)
			}
			// What is small has room.
			b.must("a", "push", "-q", "origin", first+":refs/heads/small-"+branch)
		}
		b.must("", "--git-dir="+filepath.Join(dir, r.ID+".git"), "fsck", "--full", "--strict")
		if got := b.refsOf("default/shop"); strings.Contains(got, "heads/many") || strings.Contains(got, "heads/one") {
			t.Errorf("after the refusals there is\n%s", got)
		}
		free()
		b.must("a", "push", "-q", "origin", "one")
		b.must("", "--git-dir="+filepath.Join(dir, r.ID+".git"), "fsck", "--full", "--strict")
		b.chain("default/shop")
	}, rooms...)
}
