package gitea_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// small is a Gitea that gives little at once, whatever is asked for.
const small = "\n[api]\nMAX_RESPONSE_ITEMS = 3\nDEFAULT_PAGING_NUM = 2\nDEFAULT_GIT_TREES_PER_PAGE = 2\n[git]\nCOMMITS_RANGE_SIZE = 2\n"

// ground is a Gitea with a person and a repository of their own.
type ground struct {
	*giteatest.Server
	t     *testing.T
	token string
	forge *gitea.Forge
	name  string
	dir   string
}

func newGround(t *testing.T) *ground {
	t.Helper()
	g := &ground{Server: giteatest.Start(t, small), t: t, name: "ann/own", dir: filepath.Join(t.TempDir(), "work")}
	g.token = g.Person("ann", "all")
	g.forge = open(t, g.URL, g.token)
	r, err := g.forge.CreateRepository(t.Context(), forge.NewRepository{Name: g.name, Private: true})
	if err != nil || r.Name != g.name {
		t.Fatalf("made %+v, %v", r, err)
	}
	g.git("init", "--quiet", "--initial-branch=main")
	g.git("remote", "add", "origin", strings.Replace(g.URL, "://", "://ann:"+g.token+"@", 1)+"/"+g.name+".git")
	return g
}

func (g *ground) git(args ...string) string {
	g.t.Helper()
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	c := exec.CommandContext(g.t.Context(), "git", append([]string{"-C", g.dir, "-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := c.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (g *ground) commit(path, text string) string {
	g.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(g.dir, path)), 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, path), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.git("add", "--all")
	g.git("commit", "--quiet", "--message", path+" "+strings.TrimSpace(text))
	return g.git("rev-parse", "HEAD")
}

// push pushes, and waits until Gitea has taken notice.
func (g *ground) push(branches ...string) {
	g.t.Helper()
	g.git(append([]string{"push", "--quiet", "origin"}, branches...)...)
	for _, branch := range branches {
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) { // Gitea has no other way to tell
			b, err := g.forge.GetBranch(g.t.Context(), g.name, branch)
			r, err2 := g.forge.GetRepository(g.t.Context(), g.name)
			if err == nil && err2 == nil && b.Commit == g.git("rev-parse", branch) && !r.Empty {
				break
			}
			if time.Since(began) > time.Minute {
				g.t.Fatalf("%s is %+v, %v", branch, b, err)
			}
		}
	}
}

// every reads a list by parts of a size.
func every[T any](t *testing.T, size int, read func(part page.Request) (page.Of[T], error)) (out []T) {
	t.Helper()
	for part := (page.Request{Limit: size}); ; {
		got, err := read(part)
		if err != nil || len(got.Items) > part.Size() {
			t.Fatalf("%d items, %v", len(got.Items), err)
		}
		out = append(out, got.Items...)
		if part.Cursor = got.Next; part.Cursor == "" || len(out) > 1000 {
			return out
		}
	}
}

// Lists have no holes, however little Gitea gives at once.
func TestListsOfAGiteaThatGivesLittle(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	if got, err := g.forge.ListCommits(t.Context(), g.name, "", "", page.Request{}); err != nil || len(got.Items) != 0 {
		t.Errorf("an empty repository has %+v, %v", got, err)
	}
	if _, err := g.forge.ListCommits(t.Context(), g.name, "main", "", page.Request{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a branch of an empty repository: %v", err)
	}
	if _, err := g.forge.GetBranch(t.Context(), g.name, "main"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a branch of an empty repository: %v", err)
	}
	var made, ofA []string
	for i := range 7 {
		ofA = append(ofA, g.commit("dir/a.txt", fmt.Sprint(i)))
		made = append(made, ofA[i], g.commit(fmt.Sprint("dir/f", i), "x"))
	}
	g.push("main")
	slices.Reverse(made)
	slices.Reverse(ofA)
	hashes := func(size int, path string) (out []string) {
		for _, c := range every(t, size, func(part page.Request) (page.Of[forge.Commit], error) {
			return g.forge.ListCommits(t.Context(), g.name, "", path, part)
		}) {
			out = append(out, c.Hash)
		}
		return out
	}
	for _, size := range []int{0, 1, 2, 3, 4, 5, 200} {
		if got := hashes(size, ""); !slices.Equal(got, made) {
			t.Errorf("commits by %d: %v, want %v", size, got, made)
		}
		if got := hashes(size, "dir/a.txt"); !slices.Equal(got, ofA) {
			t.Errorf("commits of a file by %d: %v, want %v", size, got, ofA)
		}
	}
	tree, err := g.forge.ListTree(t.Context(), g.name, "main", "dir", true)
	if err != nil || len(tree.Entries) != 8 || tree.Cut || tree.Commit != made[0] {
		t.Errorf("the tree is %+v, %v", tree, err)
	}
	g.git("branch", "feature")
	g.git("switch", "--quiet", "feature")
	head := g.commit("dir/a.txt", "changed")
	g.push("feature")
	p, err := g.forge.OpenProposal(t.Context(), g.name, forge.NewProposal{Title: "x", Source: "feature", Target: "main"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if _, err := g.forge.Review(t.Context(), g.name, p.Number, forge.NewReview{Verdict: forge.Commented, Body: fmt.Sprint(i), Comments: []forge.LineComment{{Path: "dir/a.txt", Line: 1, Body: fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
		if err := g.forge.SetCheck(t.Context(), g.name, head, forge.Check{Name: fmt.Sprint("check", i), State: forge.CheckSkipped}); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{1, 3, 5, 50} {
		said := ""
		for _, r := range every(t, size, func(part page.Request) (page.Of[forge.Review], error) {
			return g.forge.ListReviews(t.Context(), g.name, p.Number, part)
		}) {
			said += r.Body
		}
		for _, c := range every(t, size, func(part page.Request) (page.Of[forge.Comment], error) {
			return g.forge.ListComments(t.Context(), g.name, p.Number, part)
		}) {
			said += c.Body
		}
		if said != "0123456701234567" {
			t.Errorf("by %d: %s", size, said)
		}
	}
	list, err := g.forge.ListChecks(t.Context(), g.name, head)
	if err != nil || len(list) != 8 || list[0].State != forge.CheckSkipped {
		t.Errorf("the checks are %+v, %v", list, err)
	}
	if _, err := g.forge.ListReviews(t.Context(), g.name, p.Number, page.Request{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a cursor that no list gave: %v", err)
	}
}

// former makes a Gitea answer as those before 1.27 did.
type former struct{}

func (former) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/api/v1/token") {
		return &http.Response{StatusCode: http.StatusNotFound, Status: "404 Not Found", Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
	}
	r = r.Clone(r.Context())
	q := r.URL.Query()
	q.Del("output")
	r.URL.RawQuery = q.Encode()
	return http.DefaultTransport.RoundTrip(r)
}

// What two branches have in common is found, and what changed is told by older ones too.
func TestComparisons(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.commit("a.txt", "1\n")
	g.commit("gone.txt", "g\n")
	g.git("branch", "feature/x")
	for i := range 3 { // main is merged into the feature again and again
		g.git("switch", "--quiet", "main")
		g.commit(fmt.Sprint("main", i), "m\n")
		g.git("switch", "--quiet", "feature/x")
		g.commit(fmt.Sprint("feature", i), "f\n")
		g.git("merge", "--quiet", "--no-edit", "main")
	}
	g.git("rm", "--quiet", "gone.txt")
	head := g.commit("a.txt", "1\n2\n")
	g.git("switch", "--quiet", "main")
	g.commit("later", "l\n")
	g.git("tag", "release/1")
	g.push("main", "feature/x")
	g.git("push", "--quiet", "origin", "release/1")
	base := g.git("merge-base", "main", "feature/x")

	old, err := gitea.New(gitea.Options{URL: g.URL, Token: gitea.Fixed(g.token), Now: time.Now, Base: former{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*gitea.Forge{"now": g.forge, "before 1.27": old} {
		c, err := f.Compare(t.Context(), g.name, "release/1", "feature/x")
		if err != nil || c.Base != base || c.Head != head || c.Ahead != 7 || c.Behind > 0 || len(c.Commits) != 7 || c.Commits[6].Hash != head {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		var files []string
		for _, file := range c.Files {
			if strings.HasPrefix(file.Path, "main") { // what was merged is no change of the feature, but its merges touch it
				continue
			}
			files = append(files, file.Way+" "+file.Path)
		}
		slices.Sort(files)
		if want := []string{"added feature0", "added feature1", "added feature2", "modified a.txt", "removed gone.txt"}; !slices.Equal(files, want) {
			t.Errorf("%s: %v", name, files)
		}
		if c, err = f.Compare(t.Context(), g.name, "feature/x", base); err != nil || c.Base != base || c.Ahead != 0 || len(c.Files) != 0 {
			t.Errorf("%s: what lies behind: %+v, %v", name, c, err)
		}
		if _, err = f.Compare(t.Context(), g.name, strings.Repeat("1", 40), head); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: with what is not there: %v", name, err)
		}
	}
	h, err := old.Health(t.Context())
	if err != nil || h.Login != "ann" || h.Scopes != nil || h.Version != giteatest.Version {
		t.Errorf("the health of an older one: %+v, %v", h, err)
	}
	for _, rev := range []string{"none/such", "../x", "a b", "HEAD~1", "-x"} {
		if _, err := g.forge.GetCommit(t.Context(), g.name, rev); !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
			t.Errorf("the revision %q: %v", rev, err)
		}
	}
}

// A token that lacks scopes is told so, and a draft can't be merged.
func TestHealthAndDrafts(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for scopes, missing := range map[string][]string{
		"all": nil, "write:repository,write:issue,write:organization,write:user": nil, "read:repository,read:user": {"write:repository", "write:issue", "write:organization"},
		"write:issue": {"write:repository", "write:organization", "read:user"},
	} {
		h, err := open(t, g.URL, g.Token("ann", scopes)).Health(t.Context())
		if err != nil || h.Login != "ann" || !slices.Equal(h.Missing, missing) || len(h.Scopes) == 0 {
			t.Errorf("%s: %+v, %v", scopes, h, err)
		}
	}
	narrow := open(t, g.URL, g.Token("ann", "read:user"))
	if _, err := narrow.GetRepository(t.Context(), g.name); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "read:repository") {
		t.Errorf("without the scope: %v", err)
	}
	if _, err := g.forge.CreateRepository(t.Context(), forge.NewRepository{Name: "nobody/x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("for somebody else: %v", err)
	}
	g.commit("a", "1")
	g.git("branch", "feature")
	g.git("switch", "--quiet", "feature")
	g.commit("a", "2")
	g.push("main", "feature")
	p, err := g.forge.OpenProposal(t.Context(), g.name, forge.NewProposal{Title: "soon", Source: "feature", Target: "main", Draft: true})
	if err != nil || !p.Draft || p.Title != "soon" || p.Mergeable != forge.MergeBlocked {
		t.Fatalf("the draft is %+v, %v", p, err)
	}
	if _, err := g.forge.MergeProposal(t.Context(), g.name, p.Number, forge.Merge{Way: forge.MergeSquash}); !fault.Is(err, fault.Conflict) {
		t.Errorf("merge a draft: %v", err)
	}
	if err := g.forge.CloseProposal(t.Context(), g.name, p.Number, true); err != nil {
		t.Fatal(err)
	}
	if _, err := g.forge.MergeProposal(t.Context(), g.name, p.Number, forge.Merge{Way: forge.MergeSquash}); !fault.Is(err, fault.Conflict) {
		t.Errorf("merge what is closed: %v", err)
	}
}

// What the suite does not have Gitea send is read as well.
func TestEventsOfAnOrganization(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.Organization(g.token, "shop", "developers")
	sent := make(chan forge.Event, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = gitea.Hooks{}.Verify(r.Header, body, "hidden")
		}
		e, err2 := gitea.Hooks{}.Parse(r.Header, body)
		if err != nil || err2 != nil {
			t.Errorf("%v %v\n%s", err, err2, body)
			return
		}
		complete(t, e.Name, e)
		sent <- e
	}))
	defer server.Close()
	next := func(what string, want func(e forge.Event) bool) {
		t.Helper()
		late, end := context.WithTimeout(t.Context(), time.Minute)
		defer end()
		for {
			select {
			case e := <-sent:
				if want(e) {
					return
				}
			case <-late.Done():
				t.Fatalf("%s: nothing came", what)
			}
		}
	}
	target := forge.HookTarget{Organization: "shop"}
	if _, err := g.forge.RegisterHook(t.Context(), target, forge.NewHook{URL: server.URL, Secret: "hidden"}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []forge.NewHook{{URL: server.URL, Secret: strings.Repeat("x", 65)}, {URL: server.URL, Kinds: []forge.Kind{"moon"}}, {URL: "ftp://x"}} {
		if _, err := g.forge.RegisterHook(t.Context(), target, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := g.forge.ListHooks(t.Context(), forge.HookTarget{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("hooks of nothing: %v", err)
	}
	g.name = "shop/api"
	if _, err := g.forge.CreateRepository(t.Context(), forge.NewRepository{Name: g.name}); err != nil {
		t.Fatal(err)
	}
	next("a repository", func(e forge.Event) bool {
		return e.Kind == forge.KindRepository && e.Change.Action == forge.RepositoryCreated && e.Repository.Name == g.name
	})
	g.git("remote", "set-url", "origin", strings.Replace(g.URL, "://", "://ann:"+g.token+"@", 1)+"/"+g.name+".git")
	head := g.commit("a", "1")
	g.git("branch", "side/track")
	g.push("main", "side/track")
	next("a branch", func(e forge.Event) bool {
		return e.Kind == forge.KindPush && e.Push.Ref == "refs/heads/side/track" && e.Push.New == head && e.Push.Old == ""
	})
	if err := g.forge.SetCheck(t.Context(), g.name, head, forge.Check{Name: "ci", State: forge.CheckFailed, Description: "no\nway"}); err != nil {
		t.Fatal(err)
	}
	next("a check", func(e forge.Event) bool {
		return e.Kind == forge.KindCheck && e.Check.Commit == head && e.Check.Check.Name == "ci" && e.Check.Check.State == forge.CheckFailed && e.Check.Check.Description == "no way"
	})
	if err := g.forge.DeleteBranch(t.Context(), g.name, "side/track"); err != nil {
		t.Fatal(err)
	}
	next("its end", func(e forge.Event) bool {
		return e.Kind == forge.KindPush && e.Push.Ref == "refs/heads/side/track" && e.Push.New == ""
	})
	if err := g.forge.DeleteRepository(t.Context(), g.name); err != nil {
		t.Fatal(err)
	}
	next("the repository's end", func(e forge.Event) bool {
		return e.Kind == forge.KindRepository && e.Change.Action == forge.RepositoryDeleted
	})
}
