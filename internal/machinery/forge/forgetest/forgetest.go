// Package forgetest is the suite that every body of forge passes, against a real forge or a fake that is checked.
//
// The tests speak to the forge through the contract and through git alone, so that they hold for all bodies; what a
// forge does not have is named in Ground.Lacks and then wanted to be refused as Invalid, never passed over in silence.
package forgetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Ground is a forge with people on it.
type Ground struct {
	Forge    forge.Forge // with the credentials of somebody who administers Organization
	Reviewer forge.Forge // of somebody else who may write there
	Stranger forge.Forge // with credentials that the forge does not know
	Hooks    forge.Hooks
	Kind     string // "github"

	Organization string // has at least the two people as members, and the team
	Team         string // has the reviewer as its only member
	Login        string // of Forge
	App          bool   // Forge's credentials are an app's, which administers Organization and is no member of it
	ReviewerName string // login of Reviewer

	// Lacks names what this forge does not have: "refusal" (a review that asks for changes), "organization hooks",
	// "rate", "organizations" (and with them teams and members), "deploy keys", "archiving", "webhooks".
	Lacks []string
	// MayMerge has a repository take a way of merging, where that is a setting of the repository; nil where all are taken.
	MayMerge func(t *testing.T, repository, way string)
	// Trust says what git needs to reach the forge, such as a certificate: more of its environment.
	Trust []string
}

func (g *Ground) has(what string) bool { return !slices.Contains(g.Lacks, what) }

// Test runs the whole suite. open gives a ground; it is called once.
func Test(t *testing.T, open func(t *testing.T) *Ground) {
	g := open(t)
	for _, story := range []struct {
		name string
		tell func(b *bench)
	}{
		{"account", account}, {"repositories", repositories}, {"people", people}, {"content", content}, {"commits", commits},
		{"branches", branches}, {"proposals", proposals}, {"comments", comments}, {"reviews", reviews}, {"merges", merges},
		{"checks", checks}, {"keys", keys}, {"hooks", hooks}, {"deliveries", deliveries},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(&bench{Ground: g, t: t}) })
	}
}

type bench struct {
	*Ground
	t *testing.T
}

func (b *bench) ctx() context.Context { return b.t.Context() }

func (b *bench) good(what string, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *bench) refused(what string, err error, kinds ...fault.Kind) {
	b.t.Helper()
	if err == nil || !slices.Contains(kinds, fault.KindOf(err)) {
		b.t.Errorf("%s: want %v, got %v (%v)", what, kinds, err, fault.KindOf(err))
	}
}

// all reads a list by parts of two, which must be the whole.
func all[T any](b *bench, list func(part page.Request) (page.Of[T], error)) []T {
	b.t.Helper()
	var out []T
	for part := (page.Request{Limit: 2}); ; {
		got, err := list(part)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(got.Items) > 2 {
			b.t.Fatalf("a part of 2 has %d items", len(got.Items))
		}
		out = append(out, got.Items...)
		if got.Next == "" {
			return out
		}
		if len(out) > 2000 {
			b.t.Fatal("the list does not end")
		}
		part.Cursor = got.Next
	}
}

// until asks again what a forge finds out in its own time.
func until[T any](b *bench, what string, ask func() (T, error), ok func(T) bool) T {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		v, err := ask()
		if err == nil && ok(v) {
			return v
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: the forge still says %+v, %v", what, v, err)
		}
		time.Sleep(50 * time.Millisecond) // the forge has no other way to tell
	}
}

// repository makes an empty repository of this story's own.
func (b *bench) repository() forge.Repository {
	b.t.Helper()
	name := fmt.Sprintf("%s/%s-%d", b.Organization, strings.ReplaceAll(strings.ToLower(filepath.Base(b.t.Name())), "_", "-"), time.Now().UnixNano()%1e9)
	r, err := b.Forge.CreateRepository(b.ctx(), forge.NewRepository{Name: name, Description: "of a test", DefaultBranch: "main", Private: true})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// work is a clone of a repository.
type work struct {
	*bench
	repository string
	dir        string
	env        []string
}

func (b *bench) clone(repository string) *work {
	b.t.Helper()
	c, err := b.Forge.Clone(b.ctx(), repository)
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.Contains(c.URL, "@") {
		b.t.Errorf("the address %s has credentials in it", c.URL)
	}
	w := &work{bench: b, repository: repository, dir: filepath.Join(b.t.TempDir(), "work")}
	helper := fmt.Sprintf(`!f() { test "$1" = get && printf 'username=%%s\npassword=%%s\n' %q %q; }; f`, c.Username, c.Password)
	w.env = append(append(os.Environ(), b.Trust...),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0="+helper, "GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=Ann",
		"GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=ann@example.com")
	w.git("", "clone", "--quiet", c.URL, w.dir)
	w.git(w.dir, "switch", "--quiet", "--orphan", "main")
	return w
}

func (w *work) git(dir string, args ...string) string {
	w.t.Helper()
	c := exec.CommandContext(w.ctx(), "git", args...)
	c.Dir, c.Env = dir, w.env
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files ("" deletes one) on a branch, made from the one that is checked out when it is not there, pushes
// it, waits until the forge has it, and gives the commit.
func (w *work) commit(branch, message string, files map[string]string) string {
	w.t.Helper()
	if w.git(w.dir, "branch", "--show-current") != branch {
		c := exec.CommandContext(w.ctx(), "git", "switch", "--quiet", branch)
		c.Dir, c.Env = w.dir, w.env
		if c.Run() != nil {
			w.git(w.dir, "switch", "--quiet", "--create", branch)
		}
	}
	for path, text := range files {
		full := filepath.Join(w.dir, filepath.FromSlash(path))
		if text == "" {
			w.git(w.dir, "rm", "--quiet", path)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git(w.dir, "add", "--all")
	w.git(w.dir, "commit", "--quiet", "--message", message)
	w.git(w.dir, "push", "--quiet", "origin", branch)
	head := w.git(w.dir, "rev-parse", "HEAD")
	until(w.bench, "a push shows", func() (bool, error) { // forges take notice of a push after it has ended
		b, err := w.Forge.GetBranch(w.ctx(), w.repository, branch)
		if err != nil || b.Commit != head {
			return false, err
		}
		r, err := w.Forge.GetRepository(w.ctx(), w.repository)
		return !r.Empty, err
	}, func(shows bool) bool { return shows })
	return head
}
