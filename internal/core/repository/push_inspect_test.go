package repository_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// leaked gives a token that is nobody's.
func leaked() string { return "ghp_" + (rand.Text() + rand.Text())[:36] }

// whole makes sure that the folder of a repository is not damaged, and that nothing is left of what was refused.
func (b *bench) whole(r repository.Repository) {
	b.t.Helper()
	folder := filepath.Join(b.dir, r.ID+".git")
	b.must("", "--git-dir="+folder, "fsck", "--full", "--strict", "--no-dangling")
	for _, pattern := range []string{"objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*"} {
		if left, _ := filepath.Glob(filepath.Join(folder, pattern)); len(left) > 0 {
			b.t.Errorf("there is left %v", left)
		}
	}
}

// A push with a secret is refused where it is, and says what to do; none of the ways around it is open to everybody
// without a trace.
func TestAPushWithASecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "README.md", "# Shop\n")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		token := leaked()
		b.must("a", "switch", "-q", "-c", "work")
		bad := b.commit("a", "config.env", "# tokens\nTOKEN="+token+"\n")
		b.commit("a", "other", "later") // the secret stands below the head
		for range 2 {
			out, err := b.client("a", "push", "origin", "work")
			if err == nil || !strings.Contains(out, "remote: config.env:2 at "+bad[:10]+": GitHub token") || !strings.Contains(out, "revoke it") || strings.Contains(out, token) {
				t.Fatalf("it is told %v\n%s", err, out)
			}
			b.whole(r)
			b.must("a", "rm", "-q", "config.env") // taking it out on top is not enough
			b.must("a", "commit", "-q", "--allow-empty", "-m", "away")
			b.must("a", "commit", "-q", "--allow-empty", "-m", "more")
			b.must("a", "reset", "-q", "--soft", "HEAD~1")
			b.must("a", "checkout", "-q", bad, "--", "config.env")
			b.must("a", "commit", "-q", "-m", "again")
		}
		b.must("a", "switch", "-q", "-C", "work", "main")

		// It may be allowed where it stands, or by the repository's configuration.
		b.commit("a", "fixture", "# roadbed:allow-secret: of a test\n"+leaked()+"\n")
		b.must("a", "push", "-q", "origin", "work")
		if err := os.MkdirAll(filepath.Join(b.home, "a", "testdata/deep"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(b.home, "a", ".roadbed"), 0o700); err != nil {
			t.Fatal(err)
		}
		b.commit("a", "testdata/deep/fixture", leaked()+"\n")
		b.refused("testdata/deep/fixture:1", "a", "push", "origin", "work")
		b.commit("a", ".roadbed/config.yml", "secrets:\n  allow:\n    - 'testdata/**'\n")
		b.must("a", "push", "-q", "origin", "work")

		// A change of the file brings what it had before as a base of a delta; what is there already is not held against it.
		b.commit("a", "fixture", "# roadbed:allow-secret: of a test\n"+leaked()+"\n"+strings.Repeat("text\n", 500))
		b.must("a", "push", "-q", "origin", "work")

		// An administrator lets it through with a reason, which the ledger tells.
		b.commit("a", "leak.txt", leaked())
		b.refused("repository:admin", "a", "push", "-o", "secrets.allow=it is revoked", "origin", "work")
		b.must("a", "push", "-q", "-o", "secrets.allow=it is revoked", b.address("adam", "default/shop"), "work")
		told := ""
		for _, e := range b.entries("default/shop") {
			if e.Type == "repository.secrets-allowed" {
				told += e.Actor + " " + string(e.Data)
			}
		}
		if !strings.Contains(told, "pri_adam") || !strings.Contains(told, `"reason":"it is revoked"`) || !strings.Contains(told, `"path":"leak.txt"`) || strings.Contains(told, "ghp_") {
			t.Errorf("the ledger tells %q", told)
		}

		// A file that is written over the API is held to it too; the setting turns it off.
		parent := b.must("a", "rev-parse", "main")
		request := files(parent, "x", "token "+leaked())
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", request); !fault.Is(err, fault.Denied) || !strings.Contains(fault.Message(err), "x:1 looks like a secret (GitHub token)") {
			t.Errorf("a commit: %v", err)
		}
		no := false
		if _, err := b.Update(accesstest.As("alice"), "default/shop", repository.Change{SecretCheck: &no}); !fault.Is(err, fault.Denied) {
			t.Errorf("alice turns it off: %v", err)
		}
		if got, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{SecretCheck: &no}); err != nil || got.SecretCheck {
			t.Errorf("adam turns it off: %v, %v", got.SecretCheck, err)
		}
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", request); err != nil {
			t.Errorf("a commit: %v", err)
		}
		b.commit("a", "more", leaked())
		b.must("a", "push", "-q", "origin", "work")
		b.whole(r)
	})
}

func bytes(n int64) *int64 { return &n }

// A file over the limit is refused by its name; the repository's own limit only lowers the server's.
func TestAPushWithALargeFile(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		noise := make([]byte, 100<<10)
		rand.Read(noise)
		b.commit("a", "old.bin", string(noise))
		b.must("a", "push", "-q", "origin", "HEAD:main")
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Limits: repository.LimitsChange{File: bytes(-1)}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a limit below 0: %v", err)
		}
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Limits: repository.LimitsChange{File: bytes(64 << 10), Push: bytes(1 << 40)}}); err != nil {
			t.Fatal(err)
		}
		b.commit("a", "dir.bin", string(noise[1:]))
		b.refused("dir.bin at ", "a", "push", "origin", "HEAD:main")
		b.refused("has 100.0 KiB; a file has at most 64 KiB here", "a", "push", "origin", "HEAD:main")
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files(b.must("a", "rev-parse", "HEAD~1"), "x", string(noise))); !fault.Is(err, fault.TooLarge) {
			t.Errorf("a commit: %v", err)
		}
		b.whole(r)
		b.must("a", "reset", "-q", "--hard", "HEAD~1")
		b.commit("a", "small", "x")
		b.must("a", "push", "-q", "origin", "HEAD:main") // the large one is there already
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Limits: repository.LimitsChange{Push: bytes(10 << 10)}}); err != nil {
			t.Fatal(err)
		}
		rand.Read(noise)
		b.commit("a", "more.bin", string(noise[:20<<10]))
		b.refused("a push has at most 10 KiB here", "a", "push", "origin", "HEAD:main")
		b.whole(r)
	})
}
