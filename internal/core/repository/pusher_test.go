package repository_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Who pushed a commit can't be hidden behind other pushes, by a new name, or by pushing the commit elsewhere as somebody
// else.
func TestWhoPushedIsNotHidden(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		second := b.commit("a", "x", "2")
		b.must("a", "push", "-q", b.address("bob", "default/shop"), "HEAD:main")
		tags := []string{"push", "-q", "origin"}
		for i := range 201 {
			tags = append(tags, fmt.Sprintf("HEAD:refs/tags/t%03d", i))
		}
		b.must("a", tags...)
		if _, err := b.Rename(accesstest.As("adam"), "default/shop", "default/store"); err != nil {
			t.Fatal(err)
		}
		third := b.commit("a", "x", "3")
		b.must("a", "push", "-q", b.address("alice", "default/store"), "HEAD:main")
		b.entries("default/store") // sealed

		p := b.Platform()
		for commit, want := range map[string]string{first: "pri_alice", second: "pri_bob", third: "pri_alice"} {
			if who, err := p.Pusher(t.Context(), "default/store", "refs/heads/main", commit); err != nil || who != want {
				t.Errorf("%s was pushed by %q, %v; want %s", commit, who, err, want)
			}
			if at, err := p.Pushed(t.Context(), "default/store", "refs/heads/main", commit); err != nil || at.IsZero() {
				t.Errorf("%s was pushed at %v, %v", commit, at, err)
			}
		}
		if who, err := p.Pusher(t.Context(), "default/store", "refs/tags/t000", second); err != nil || who != "pri_alice" {
			t.Errorf("the tag was pushed by %q, %v", who, err)
		}
		if who, err := p.Pusher(t.Context(), "default/store", "refs/heads/side", second); !fault.Is(err, fault.NotFound) {
			t.Errorf("a branch without the commit was pushed by %q, %v", who, err)
		}
		pushers := func(from, to, want string, whole bool) {
			t.Helper()
			who, got, err := p.Pushers(t.Context(), "default/store", "refs/heads/main", from, to)
			if err != nil || got != whole || strings.Join(who, " ") != want {
				t.Errorf("from %.7s to %.7s pushed %q, whole %v, %v; want %q, %v", from, to, who, got, err, want, whole)
			}
		}
		pushers("", third, "pri_alice pri_bob", true)
		pushers(first, third, "pri_alice pri_bob", true)
		pushers(second, third, "pri_alice", true)
		pushers(first, second, "pri_bob", true)
		pushers("", "0123456789012345678901234567890123456789", "", false)

		// Nobody is known to have changed what was changed past the server.
		fourth := b.commit("a", "x", "4")
		b.must("a", "push", "-q", b.address("alice", "default/store"), "HEAD:side")
		if err := os.WriteFile(filepath.Join(b.dir, r.ID+".git", "refs", "heads", "main"), []byte(fourth+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Settle(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
		b.entries("default/store")
		pushers(third, fourth, "", false)
	})
}

// A push that the ledger has not sealed yet is waited for: its author is no unknown one.
func TestWhoPushedJustNowIsKnown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		head := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		sealed := make(chan struct{})
		go func() {
			defer close(sealed)
			b.entries("default/shop")
		}()
		who, whole, err := b.Platform().Pushers(t.Context(), "default/shop", "refs/heads/main", "", head)
		if err != nil || !whole || strings.Join(who, " ") != "pri_alice" {
			t.Errorf("it was pushed by %q, whole %t, %v", who, whole, err)
		}
		<-sealed
	})
}
