package gitlab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const app = "acme/platform/app"

// bench is a GitLab with a project that has one file on main.
type bench struct {
	*gitlabtest.Server
	t        *testing.T
	ann, rob *gitlab.Forge
	first    string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s := ground(t)
	b := &bench{Server: s, t: t, ann: as(t, s, "token-of-ann"), rob: as(t, s, "token-of-rob")}
	if _, err := b.ann.CreateRepository(t.Context(), forge.NewRepository{Name: app, Private: true}); err != nil {
		t.Fatal(err)
	}
	b.first = s.Commit(app, "ann", "main", "a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n")
	return b
}

func (b *bench) open(source string) forge.Proposal {
	b.t.Helper()
	p, err := b.ann.OpenProposal(b.t.Context(), app, forge.NewProposal{Title: "Change", Source: source, Target: "main"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) refused(what string, err error, kind fault.Kind) {
	b.t.Helper()
	if !fault.Is(err, kind) {
		b.t.Errorf("%s: want %v, got %v (%v)", what, kind, err, fault.KindOf(err))
	}
}

// A token tells its scopes and its end; one of OAuth tells them in another way, and one for git alone not whose it is.
func TestHealth(t *testing.T) {
	s := ground(t)
	s.User("git", "token-of-git", "read_repository")
	s.User("oscar", "token-of-oscar", "api", "read_user")
	s.OAuth("oscar")
	h, err := as(t, s, "token-of-ann").Health(t.Context())
	if err != nil || h.Login != "ann" || !slices.Equal(h.Scopes, []string{"api"}) || h.Missing != nil || h.Expires.Format(time.DateOnly) != "2099-12-31" || h.Version == "" || h.Rate.Left < 1 {
		t.Errorf("a personal token: %+v, %v", h, err)
	}
	h, err = as(t, s, "token-of-git").Health(t.Context())
	if err != nil || h.Login != "" || !slices.Equal(h.Missing, []string{"api"}) {
		t.Errorf("a token for git: %+v, %v", h, err)
	}
	ends := time.Date(2026, 5, 4, 14, 0, 0, 0, time.UTC)
	f, err := gitlab.New(gitlab.Options{URL: s.URL + "/", Now: time.Now, Token: func(context.Context) (gitlab.Token, error) {
		return gitlab.Token{Value: "token-of-oscar", Expires: ends}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	h, err = f.Health(t.Context())
	if err != nil || h.Login != "oscar" || !slices.Equal(h.Scopes, []string{"api", "read_user"}) || h.Missing != nil || !h.Expires.Equal(ends) {
		t.Errorf("a token of OAuth: %+v, %v", h, err)
	}
	c, err := f.Clone(t.Context(), "acme/platform/app")
	if err != nil || c.URL != s.URL+"/acme/platform/app.git" || c.Username != "oauth2" || c.Password != "token-of-oscar" || !c.Expires.Equal(ends) {
		t.Errorf("its clone: %+v, %v", c, err)
	}
}

func TestTokenThatCannotBeHad(t *testing.T) {
	s := ground(t)
	f, err := gitlab.New(gitlab.Options{URL: s.URL, Now: time.Now, Token: func(context.Context) (gitlab.Token, error) {
		return gitlab.Token{}, fault.Errorf(fault.Unauthenticated, "the grant has ended")
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.GetRepository(t.Context(), app); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "the grant has ended") {
		t.Errorf("got %v", err)
	}
}

type noway struct{ t *testing.T }

func (n noway) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was asked", r.URL)
	return nil, errors.New("not reachable")
}

// What leads out of a name's place in an address is refused before anything is asked.
func TestNames(t *testing.T) {
	f, err := gitlab.New(gitlab.Options{URL: "https://gitlab.example", Token: gitlab.Fixed("x"), Now: time.Now, Base: noway{t}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, bad := range []string{"", "x", "a/", "/a", "a//b", "../a/b", "a/..", "a/./b", "a/b/../../c", "a/%2e%2e", "a/b?c", "a/b#c", "a/b c", "a/b.git", "a/b.atom", "-a/b", "a/...", "a/b\x00", "a/b\n", "a/" + strings.Repeat("b", 300), "a/é"} {
		for what, call := range map[string]func() error{
			"repository": func() error { _, err := f.GetRepository(ctx, bad); return err },
			"delete":     func() error { return f.DeleteRepository(ctx, bad) },
			"file":       func() error { _, err := f.ReadFile(ctx, bad, "", "a", 1); return err },
			"clone":      func() error { _, err := f.Clone(ctx, bad); return err },
			"archive":    func() error { _, err := f.Archive(ctx, bad, ""); return err },
			"hooks":      func() error { _, err := f.ListHooks(ctx, forge.HookTarget{Repository: bad}); return err },
			"proposal":   func() error { _, err := f.GetProposal(ctx, bad, 1); return err },
			"merge":      func() error { _, err := f.MergeProposal(ctx, bad, 1, forge.Merge{Way: forge.MergeSquash}); return err },
			"check": func() error {
				return f.SetCheck(ctx, bad, strings.Repeat("1", 40), forge.Check{Name: "x", State: forge.CheckPassed})
			},
		} {
			if err := call(); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s of %q: %v", what, bad, err)
			}
		}
	}
	for _, bad := range []string{"..", "a/../b", "a b", "a?b", "/", "a/"} {
		_, err1 := f.ListRepositories(ctx, bad, page.Request{})
		_, err2 := f.ListTeams(ctx, bad, page.Request{})
		_, err3 := f.ListMembers(ctx, "acme", bad, page.Request{})
		_, err4 := f.ListHooks(ctx, forge.HookTarget{Organization: bad})
		for _, err := range []error{err1, err2, err3, err4} {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("the group %q: %v", bad, err)
			}
		}
	}
	for _, bad := range []string{"..", "-x", "a b", "a\nb", "refs/heads/x", "x^{tree}"} {
		if _, err := f.GetCommit(ctx, app, bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("the revision %q: %v", bad, err)
		}
	}
	for _, url := range []string{"gitlab.example", "ftp://gitlab.example", "https://user@gitlab.example", "https://"} {
		if _, err := gitlab.New(gitlab.Options{URL: url, Token: gitlab.Fixed("x"), Now: time.Now}); !fault.Is(err, fault.Invalid) {
			t.Errorf("the address %q: %v", url, err)
		}
	}
}

// Lists come in parts of any size, and repositories are those of one owner.
func TestLists(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	want := []string{app}
	for i := range 6 {
		name := fmt.Sprintf("acme/platform/p%d", i)
		if _, err := b.ann.CreateRepository(ctx, forge.NewRepository{Name: name}); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	for _, name := range []string{"acme/top", "ann/own"} {
		if _, err := b.ann.CreateRepository(ctx, forge.NewRepository{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(owner string, limits ...int) (names []string) {
		t.Helper()
		for part, i := (page.Request{}), 0; ; i++ {
			part.Limit = limits[i%len(limits)]
			got, err := b.ann.ListRepositories(ctx, owner, part)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Items) > part.Size() {
				t.Fatalf("a part of %d has %d", part.Size(), len(got.Items))
			}
			for _, r := range got.Items {
				names = append(names, r.Name)
			}
			if part.Cursor = got.Next; part.Cursor == "" {
				return names
			}
		}
	}
	for _, limits := range [][]int{{1}, {2}, {3}, {7}, {8}, {0}, {200}, {2, 3, 1}, {3, 200}} {
		if got := read("acme/platform", limits...); !slices.Equal(got, want) {
			t.Errorf("by %v: %v", limits, got)
		}
		if got := read("", limits...); !slices.Equal(got, slices.Concat(want, []string{"acme/top", "ann/own"})) {
			t.Errorf("all by %v: %v", limits, got)
		}
	}
	if got := read("acme", 5); !slices.Equal(got, []string{"acme/top"}) {
		t.Errorf("of the group above: %v", got)
	}
	if got := read("ann", 5); !slices.Equal(got, []string{"ann/own"}) {
		t.Errorf("of a user: %v", got)
	}
	teams, err := b.ann.ListTeams(ctx, "acme", page.Request{})
	if err != nil || len(teams.Items) != 2 || teams.Items[1].Name != "platform/reviewers" || teams.Items[1].Parent != "platform" || teams.Items[0].Parent != "" {
		t.Errorf("the teams are %+v, %v", teams, err)
	}
	for _, cursor := range []string{"x", "-1", "9223372036854775807"} {
		if got, err := b.ann.ListRepositories(ctx, "acme", page.Request{Cursor: cursor}); !fault.Is(err, fault.Invalid) {
			t.Errorf("the cursor %s: %+v, %v", cursor, got, err)
		}
	}
}

// What a project's merge method does not have is refused with what to change; squashing works with each.
func TestMergeMethods(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	b.Commit(app, "ann", "one", "b.txt", "b\n")
	b.Commit(app, "ann", "one", "b.txt", "bb\n")
	p := b.open("one")
	_, err := b.rob.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeSquash})
	b.refused("a developer's merge into a protected branch", err, fault.Denied)
	_, err = b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeRebase})
	b.refused("to rebase with merge commits", err, fault.Invalid)
	m, err := b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeSquash, Title: "All"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.ann.GetCommit(ctx, app, "main")
	if err != nil || c.Hash != m.Commit || len(c.Parents) != 2 || c.Parents[0] != b.first {
		t.Fatalf("squashed with a merge commit: %+v, %v", c, err)
	}
	if c, err = b.ann.GetCommit(ctx, app, c.Parents[1]); err != nil || !slices.Equal(c.Parents, []string{b.first}) || strings.TrimSpace(c.Message) != "All" {
		t.Errorf("the squashed commit is %+v, %v", c, err)
	}

	b.MergeMethod(app, "ff")
	b.Commit(app, "ann", "two", "c.txt", "c\n")
	b.Commit(app, "ann", "three", "a.txt", "three\n")
	main := b.Commit(app, "ann", "main", "d.txt", "d\n")
	p = b.open("two")
	_, err = b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeCommit})
	b.refused("a merge commit with fast-forward", err, fault.Invalid)
	_, err = b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeSquash})
	b.refused("to squash what needs a rebase", err, fault.Conflict)
	if m, err = b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeRebase, Head: p.Source.Commit}); err != nil {
		t.Fatal(err)
	}
	c, err = b.ann.GetCommit(ctx, app, "main")
	if err != nil || c.Hash != m.Commit || !slices.Equal(c.Parents, []string{main}) || m.Commit == p.Source.Commit {
		t.Errorf("rebased: %+v, %v; made %s", c, err, m.Commit)
	}
	p = b.open("three")
	b.Commit(app, "ann", "main", "a.txt", "main\n")
	_, err = b.ann.MergeProposal(ctx, app, p.Number, forge.Merge{Way: forge.MergeRebase})
	b.refused("to rebase conflicts", err, fault.Conflict)
}

// A fork's branch is named by its owner; its merge request is one of the project, not of a branch of the same name.
func TestFork(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	b.Fork(app, "rob/app", "rob")
	b.Group("rob", map[string]int{"ann": gitlabtest.Developer})
	head := b.Commit("rob/app", "rob", "fix", "b.txt", "b\n")
	p, err := b.rob.OpenProposal(ctx, app, forge.NewProposal{Title: "From a fork", Source: "rob:fix", Target: "main", Draft: true})
	if err != nil || p.Source != (forge.Side{Repository: "rob/app", Branch: "fix", Commit: head}) || p.Target.Repository != app || !p.Draft || p.Title != "From a fork" {
		t.Fatalf("opened %+v, %v", p, err)
	}
	list, err := b.ann.ListProposals(ctx, app, forge.ProposalQuery{}, page.Request{})
	if err != nil || len(list.Items) != 1 || list.Items[0].Source.Repository != "rob/app" || list.Items[0].Number != p.Number {
		t.Errorf("the proposals are %+v, %v", list, err)
	}
	if list, err = b.ann.ListProposals(ctx, app, forge.ProposalQuery{Source: "fix"}, page.Request{}); err != nil || len(list.Items) != 0 {
		t.Errorf("of the project's own branch fix: %+v, %v", list, err)
	}
}

// A comment may stand on any line of a changed file, also on one that did not change, and of an older head.
func TestLines(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	older := b.Commit(app, "ann", "one", "a.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nten\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n")
	p := b.open("one")
	b.Commit(app, "ann", "one", "z.txt", "z\n")
	say := func(commit string, lines ...forge.LineComment) error {
		_, err := b.rob.Review(ctx, app, p.Number, forge.NewReview{Verdict: forge.Commented, Commit: commit, Comments: lines})
		return err
	}
	want := []forge.LineComment{
		{Path: "a.txt", Line: 1, Body: "added"}, {Path: "a.txt", Line: 2, Body: "beside"}, {Path: "a.txt", Line: 11, Body: "changed"},
		{Path: "a.txt", Line: 10, Old: true, Body: "was"}, {Path: "a.txt", Line: 20, Body: "far below"}, {Path: "a.txt", Line: 6, Body: "between"},
	}
	if err := say("", want...); err != nil {
		t.Fatal(err)
	}
	if err := say(older, forge.LineComment{Path: "a.txt", Line: 3, Old: true, Body: "in both"}); err != nil {
		t.Fatal(err)
	}
	got, err := b.ann.ListComments(ctx, app, p.Number, page.Request{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []forge.LineComment
	for _, c := range got.Items {
		lines = append(lines, forge.LineComment{Path: c.Path, Line: c.Line, Old: c.Old, Body: c.Body})
		if c.Body == "in both" && c.Commit != older || c.URL == "" {
			t.Errorf("a comment is %+v", c)
		}
	}
	// A line that is in both files is named by its number in the new one.
	if !slices.Equal(lines, append(want, forge.LineComment{Path: "a.txt", Line: 4, Body: "in both"})) {
		t.Errorf("the comments are %+v", lines)
	}
	b.refused("a file that does not change", say("", forge.LineComment{Path: "none.txt", Line: 1, Body: "x"}), fault.Invalid)
	b.refused("a line that is not there", say("", forge.LineComment{Path: "a.txt", Line: 400, Body: "x"}), fault.Invalid)
	b.refused("a commit that never was the head", say(b.first, forge.LineComment{Path: "a.txt", Line: 1, Body: "x"}), fault.Stale)
	b.refused("nothing", say(""), fault.Invalid)
}

// To approve again changes nothing; who may not approve is told so, and so is who saw an older head.
func TestApprove(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	older := b.Commit(app, "ann", "one", "b.txt", "b\n")
	p := b.open("one")
	b.Commit(app, "ann", "one", "b.txt", "bb\n")
	yes := forge.NewReview{Verdict: forge.Approved}
	for range 2 {
		if r, err := b.rob.Review(ctx, app, p.Number, yes); err != nil || r.Author.Login != "rob" {
			t.Fatalf("approved: %+v, %v", r, err)
		}
	}
	_, err := b.ann.Review(ctx, app, p.Number, yes)
	b.refused("one's own", err, fault.Denied)
	yes.Commit = older
	_, err = b.rob.Review(ctx, app, p.Number, yes)
	b.refused("an older head", err, fault.Stale)
	reviews, err := b.ann.ListReviews(ctx, app, p.Number, page.Request{})
	if err != nil || len(reviews.Items) != 1 || reviews.Items[0].Author.Login != "rob" || reviews.Items[0].Verdict != forge.Approved {
		t.Errorf("the reviews are %+v, %v", reviews, err)
	}
	for range 2 {
		if _, err = b.rob.Review(ctx, app, p.Number, forge.NewReview{Verdict: forge.Refused, Body: "no"}); err != nil {
			t.Fatal(err)
		}
	}
	if reviews, err = b.ann.ListReviews(ctx, app, p.Number, page.Request{}); err != nil || len(reviews.Items) != 0 {
		t.Errorf("after a refusal the reviews are %+v, %v", reviews, err)
	}
}

// A diff of which GitLab gives a part only is no diff.
func TestDiffThatIsCut(t *testing.T) {
	b := newBench(t)
	b.Commit(app, "ann", "one", "b.txt", "b\n")
	b.Commit(app, "ann", "one", "c.txt", "diff --git a/x b/x\n")
	p := b.open("one")
	if diff, err := b.ann.DiffProposal(t.Context(), app, p.Number, 1<<20); err != nil || !strings.Contains(string(diff), "+b\n") {
		t.Errorf("the diff is %s, %v", diff, err)
	}
	b.Cut = true
	_, err := b.ann.DiffProposal(t.Context(), app, p.Number, 1<<20)
	b.refused("a part of a diff", err, fault.TooLarge)
}

func TestChecksAgain(t *testing.T) {
	b := newBench(t)
	for _, state := range []string{forge.CheckPending, forge.CheckPending, forge.CheckPassed, forge.CheckPending, forge.CheckError, forge.CheckSkipped} {
		if err := b.ann.SetCheck(t.Context(), app, b.first, forge.Check{Name: "plan", State: state}); err != nil {
			t.Fatal(err)
		}
		if got, err := b.ann.ListChecks(t.Context(), app, b.first); err != nil || len(got) != 1 || got[0].State != state {
			t.Errorf("set to %s it is %+v, %v", state, got, err)
		}
	}
}

// A GitLab that signs does not send the secret; an older one sends nothing else.
func TestSigning(t *testing.T) {
	for _, signs := range []bool{true, false} {
		b := newBench(t)
		b.Signs = signs
		sent := make(chan http.Header, 10)
		bodies := make(chan []byte, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				sent <- r.Header.Clone()
				bodies <- body
			}
		}))
		target := forge.HookTarget{Organization: "acme"} // the project is two groups below
		for range 2 {
			if _, err := b.ann.RegisterHook(t.Context(), target, forge.NewHook{URL: receiver.URL, Secret: "hidden", Kinds: []forge.Kind{forge.KindPush}}); err != nil {
				t.Fatal(err)
			}
		}
		b.Commit(app, "ann", "main", "b.txt", "b\n")
		h, body := <-sent, <-bodies
		if err := (gitlab.Hooks{}).Verify(h, body, "hidden"); err != nil {
			t.Error(err)
		}
		if token := h.Get("X-Gitlab-Token"); signs != (token == "") || signs != (h.Get("webhook-signature") != "") {
			t.Errorf("signing %v it sends %q and %q", signs, token, h.Get("webhook-signature"))
		}
		e, err := gitlab.Hooks{}.Parse(h, body)
		if err != nil || e.Kind != forge.KindPush || e.Delivery == "" {
			t.Errorf("%+v, %v", e, err)
		}
		receiver.Close()
	}
	b := newBench(t)
	_, err := b.ann.RegisterHook(t.Context(), forge.HookTarget{Repository: app}, forge.NewHook{URL: "https://roadbed.example", Secret: strings.Repeat("x", 65)})
	b.refused("a secret that is too long", err, fault.Invalid)
	_, err = b.rob.RegisterHook(t.Context(), forge.HookTarget{Repository: app}, forge.NewHook{URL: "https://roadbed.example"})
	b.refused("a developer's webhook", err, fault.Denied)
}

func TestLimitIsTold(t *testing.T) {
	b := newBench(t)
	b.Left(0)
	_, err := b.ann.GetRepository(t.Context(), app)
	until, ok := forge.Until(err)
	if !fault.Is(err, fault.Exhausted) || !ok || !until.After(time.Now()) {
		t.Errorf("got %v until %v", err, until)
	}
}

// What is not GitLab, such as a page of a proxy, is told apart from what is not there.
func TestAnswerOfSomethingElse(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Sign in</html>") }))
	defer s.Close()
	f, err := gitlab.New(gitlab.Options{URL: s.URL, Token: gitlab.Fixed("x"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.GetRepository(t.Context(), app); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.GetRepository(ctx, app); err == nil || fault.Is(err, fault.Internal) {
		t.Errorf("when nobody waits: %v", err)
	}
}

// The transport alone repeats, and what changes something is never sent twice.
func TestOneRepeats(t *testing.T) {
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.Method]++
		http.Error(w, "down", http.StatusBadGateway)
	}))
	defer s.Close()
	f := as(t, &gitlabtest.Server{URL: s.URL}, "x")
	_, err := f.GetRepository(t.Context(), app)
	if !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if _, err = f.Comment(t.Context(), app, 1, "x"); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if asked["GET"] != 4 || asked["POST"] != 1 {
		t.Errorf("asked %v", asked)
	}
}
