package forgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// troubleSecret is what the forges of Trouble are asked with.
const troubleSecret = "hidden-token-of-the-caller"

// ask is one method of the contract.
type ask struct {
	name string
	call func(ctx context.Context, f forge.Forge) error
	list bool // its answer is a list, and an empty one is an answer
	mute bool // it takes nothing from the answer
}

func listed[T any](list page.Of[T], err error) error {
	if err == nil && len(list.Items) > page.Most {
		err = fmt.Errorf("a part has %d items", len(list.Items))
	}
	return err
}

func had[T any](_ T, err error) error { return err }

// asks are all methods that ask a forge, with what it would take.
func asks() []ask {
	const r = "acme/shop"
	commit := strings.Repeat("a", 40)
	part := page.Request{Limit: 10}
	target := forge.HookTarget{Repository: r}
	return []ask{
		{"Health", func(ctx context.Context, f forge.Forge) error { return had(f.Health(ctx)) }, false, false},
		{"ListRepositories", func(ctx context.Context, f forge.Forge) error { return listed(f.ListRepositories(ctx, "", part)) }, true, false},
		{"ListRepositories of one", func(ctx context.Context, f forge.Forge) error { return listed(f.ListRepositories(ctx, "acme", part)) }, true, false},
		{"ListWithin", func(ctx context.Context, f forge.Forge) error { return listed(f.ListWithin(ctx, "acme", part)) }, true, false},
		{"GetRepository", func(ctx context.Context, f forge.Forge) error { return had(f.GetRepository(ctx, r)) }, false, false},
		{"CreateRepository", func(ctx context.Context, f forge.Forge) error {
			return had(f.CreateRepository(ctx, forge.NewRepository{Name: r}))
		}, false, false},
		{"ArchiveRepository", func(ctx context.Context, f forge.Forge) error { return f.ArchiveRepository(ctx, r, true) }, false, true},
		{"DeleteRepository", func(ctx context.Context, f forge.Forge) error { return f.DeleteRepository(ctx, r) }, false, true},
		{"ListDeployKeys", func(ctx context.Context, f forge.Forge) error { return had(f.ListDeployKeys(ctx, r)) }, true, false},
		{"AddDeployKey", func(ctx context.Context, f forge.Forge) error {
			return had(f.AddDeployKey(ctx, r, forge.DeployKey{Title: "robot", Key: key}))
		}, false, false},
		{"DeleteDeployKey", func(ctx context.Context, f forge.Forge) error { return f.DeleteDeployKey(ctx, r, "1") }, false, true},
		{"ListOrganizations", func(ctx context.Context, f forge.Forge) error { return listed(f.ListOrganizations(ctx, part)) }, true, false},
		{"ListTeams", func(ctx context.Context, f forge.Forge) error { return listed(f.ListTeams(ctx, "acme", part)) }, true, false},
		{"ListMembers", func(ctx context.Context, f forge.Forge) error { return listed(f.ListMembers(ctx, "acme", "", part)) }, true, false},
		{"ListMembers of a team", func(ctx context.Context, f forge.Forge) error {
			return listed(f.ListMembers(ctx, "acme", "crew", part))
		}, true, false},
		{"GetPerson", func(ctx context.Context, f forge.Forge) error { return had(f.GetPerson(ctx, "ann")) }, false, false},
		{"ReadFile", func(ctx context.Context, f forge.Forge) error { return had(f.ReadFile(ctx, r, "main", "a.txt", 1<<20)) }, true, true},
		{"ListTree", func(ctx context.Context, f forge.Forge) error { return had(f.ListTree(ctx, r, "main", "", true)) }, true, false},
		{"GetCommit", func(ctx context.Context, f forge.Forge) error { return had(f.GetCommit(ctx, r, "main")) }, false, false},
		{"ListCommits", func(ctx context.Context, f forge.Forge) error { return listed(f.ListCommits(ctx, r, "main", "", part)) }, true, false},
		{"Compare", func(ctx context.Context, f forge.Forge) error { return had(f.Compare(ctx, r, "main", "feature")) }, false, false},
		{"ListBranches", func(ctx context.Context, f forge.Forge) error { return listed(f.ListBranches(ctx, r, part)) }, true, false},
		{"GetBranch", func(ctx context.Context, f forge.Forge) error { return had(f.GetBranch(ctx, r, "main")) }, false, false},
		{"CreateBranch", func(ctx context.Context, f forge.Forge) error { return f.CreateBranch(ctx, r, "feature", commit) }, false, true},
		{"DeleteBranch", func(ctx context.Context, f forge.Forge) error { return f.DeleteBranch(ctx, r, "feature") }, false, true},
		{"ListTags", func(ctx context.Context, f forge.Forge) error { return listed(f.ListTags(ctx, r, part)) }, true, false},
		{"OpenProposal", func(ctx context.Context, f forge.Forge) error {
			return had(f.OpenProposal(ctx, r, forge.NewProposal{Title: "x", Source: "feature", Target: "main"}))
		}, false, false},
		{"ListProposals", func(ctx context.Context, f forge.Forge) error {
			return listed(f.ListProposals(ctx, r, forge.ProposalQuery{}, part))
		}, true, false},
		{"GetProposal", func(ctx context.Context, f forge.Forge) error { return had(f.GetProposal(ctx, r, 1)) }, false, false},
		{"DiffProposal", func(ctx context.Context, f forge.Forge) error { return had(f.DiffProposal(ctx, r, 1, 1<<20)) }, true, true},
		{"CloseProposal", func(ctx context.Context, f forge.Forge) error { return f.CloseProposal(ctx, r, 1, true) }, false, true},
		{"MergeProposal", func(ctx context.Context, f forge.Forge) error {
			return had(f.MergeProposal(ctx, r, 1, forge.Merge{Way: forge.MergeCommit}))
		}, false, true},
		{"ListComments", func(ctx context.Context, f forge.Forge) error { return listed(f.ListComments(ctx, r, 1, part)) }, true, false},
		{"Comment", func(ctx context.Context, f forge.Forge) error { return had(f.Comment(ctx, r, 1, "x")) }, false, false},
		{"ListReviews", func(ctx context.Context, f forge.Forge) error { return listed(f.ListReviews(ctx, r, 1, part)) }, true, false},
		{"Review", func(ctx context.Context, f forge.Forge) error {
			return had(f.Review(ctx, r, 1, forge.NewReview{Verdict: forge.Commented, Body: "x"}))
		}, false, false},
		{"ListChecks", func(ctx context.Context, f forge.Forge) error { return had(f.ListChecks(ctx, r, commit)) }, true, false},
		{"SetCheck", func(ctx context.Context, f forge.Forge) error {
			return f.SetCheck(ctx, r, commit, forge.Check{Name: "x", State: forge.CheckPassed})
		}, false, true},
		{"ListHooks", func(ctx context.Context, f forge.Forge) error { return had(f.ListHooks(ctx, target)) }, true, false},
		{"RegisterHook", func(ctx context.Context, f forge.Forge) error {
			return had(f.RegisterHook(ctx, target, forge.NewHook{URL: "https://roadbed.example/hooks/1", Secret: "x"}))
		}, false, false},
		{"DeleteHook", func(ctx context.Context, f forge.Forge) error { return f.DeleteHook(ctx, target, "1") }, false, true},
	}
}

// trouble is a way in which a forge answers badly.
type trouble struct {
	name    string
	answers http.HandlerFunc
	kinds   []fault.Kind
	says    string
	some    func(a ask) bool // for which methods it is one; nil for all
}

func whole(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// unclear leaves out what takes nothing from an answer, or takes any.
func unclear(a ask) bool { return !a.mute }

// notEmpty leaves out those, and lists.
func notEmpty(a ask) bool { return !a.mute && !a.list }

func troubles() []trouble {
	unknown := []fault.Kind{fault.Unavailable}
	return []trouble{
		{name: "too many requests", answers: whole(429, `{"message":"slow down"}`, "Retry-After", "30"), kinds: []fault.Kind{fault.Exhausted}, says: "slow down"},
		{name: "an error within", answers: whole(500, `{"message":"a disk broke"}`), kinds: unknown, says: "a disk broke"},
		{name: "away", answers: whole(503, "<html>we are back soon</html>"), kinds: unknown, says: "503"},
		{name: "no credentials any more", answers: whole(401, `{"message":"Bad credentials"}`), kinds: []fault.Kind{fault.Unauthenticated}, says: "ended"},
		{
			name: "a token that lost its scope", answers: whole(403, `{"message":"insufficient_scope","error":"insufficient_scope"}`, "X-Accepted-OAuth-Scopes", "repo"),
			kinds: []fault.Kind{fault.Denied}, says: "insufficient_scope", some: func(a ask) bool { return a.name != "Health" },
		},
		{name: "half a page", answers: whole(200, `[{"id":1,"name":"sh`, "Content-Length", "1000"), kinds: unknown},
		{name: "a page that was cut before it was sent", answers: whole(200, `[{"id":1,"name":"sh`), kinds: unknown, some: unclear},
		{name: "an object that was cut", answers: whole(200, `{"id":1,"name":"sh`), kinds: unknown, some: unclear},
		{name: "a page of something else", answers: whole(200, `<html>Sign in</html>`, "Content-Type", "text/html"), kinds: unknown, some: unclear},
		{name: "nothing", answers: whole(200, ``), kinds: unknown, some: unclear},
		{name: "words", answers: whole(200, `"fine"`), kinds: unknown, some: unclear},
		{name: "an object without anything", answers: whole(200, `{}`), kinds: unknown, some: notEmpty},
		{name: "null", answers: whole(200, `null`), kinds: unknown, some: notEmpty},
		{name: "a list", answers: whole(200, `[]`), kinds: unknown, some: func(a ask) bool {
			return notEmpty(a) && a.name != "GetPerson" // who is looked for, and not there
		}},
		{name: "a list of lists", answers: whole(200, `[[1]]`), kinds: unknown, some: unclear},
		{name: "a circle", answers: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, kinds: unknown},
		{name: "a way to nowhere", answers: whole(302, "", "Location", "gopher://nowhere"), kinds: unknown},
		{name: "an answer without end", answers: func(w http.ResponseWriter, r *http.Request) {
			piece := []byte(`[{"id":1,"name":"` + strings.Repeat("x", 1<<20))
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}, kinds: []fault.Kind{fault.TooLarge, fault.Unavailable}, some: func(a ask) bool {
			return slices.Contains([]string{"GetRepository", "ListRepositories", "ReadFile", "DiffProposal", "ListChecks", "OpenProposal"}, a.name)
		}},
	}
}

// Trouble is the suite of a forge that answers badly, whatever it is asked. open gives a forge at an address, with a token
// as its credentials.
func Trouble(t *testing.T, open func(t *testing.T, url, token string) forge.Forge) {
	for _, bad := range troubles() {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				bad.answers(w, r)
			}))
			defer s.Close()
			for _, a := range asks() {
				if bad.some != nil && !bad.some(a) {
					continue
				}
				asked.Store(0)
				err := a.call(t.Context(), open(t, s.URL, troubleSecret))
				switch {
				case err == nil || !slices.Contains(bad.kinds, fault.KindOf(err)):
					t.Errorf("%s gives %v (%v), want %v", a.name, err, fault.KindOf(err), bad.kinds)
				case !strings.Contains(err.Error(), bad.says):
					t.Errorf("%s does not say %q: %v", a.name, bad.says, err)
				case strings.Contains(err.Error(), troubleSecret):
					t.Errorf("%s tells the credentials: %v", a.name, err)
				}
				if _, until := forge.Until(err); until != fault.Is(err, fault.Exhausted) {
					t.Errorf("%s: how long it is to be left alone is told: %v", a.name, until)
				}
				if n := asked.Load(); n > 60 {
					t.Errorf("%s asked %d times", a.name, n)
				}
			}
		})
	}
	t.Run("another host", func(t *testing.T) { t.Parallel(); elsewhere(t, open) })
	t.Run("no answer", func(t *testing.T) { t.Parallel(); silent(t, open) })
	t.Run("lists without end", func(t *testing.T) { t.Parallel(); endless(t, open) })
}

// elsewhere leads whoever asks to another host, which is never shown the credentials.
func elsewhere(t *testing.T, open func(t *testing.T, url, token string) forge.Forge) {
	var mu sync.Mutex
	var shown []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := fmt.Sprint(r.URL, r.Header)
		if strings.Contains(all, troubleSecret) {
			mu.Lock()
			shown = append(shown, r.Method+" "+r.URL.Path)
			mu.Unlock()
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // to a server of the test's own
	}))
	defer s.Close()
	for _, a := range asks() {
		if err := a.call(t.Context(), open(t, s.URL, troubleSecret)); err == nil || fault.KindOf(err) == fault.Internal {
			t.Errorf("%s gives %v (%v)", a.name, err, fault.KindOf(err))
		}
	}
	if len(shown) > 0 {
		t.Errorf("another host was shown the credentials by %v", shown)
	}
}

// silent is a forge that takes a request and says nothing more. Whoever has given up waiting is not kept.
func silent(t *testing.T, open func(t *testing.T, url, token string) forge.Forge) {
	came := make(chan bool, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client goes
		came <- true
		<-r.Context().Done()
	}))
	defer s.Close()
	for _, a := range asks() {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.call(ctx, open(t, s.URL, troubleSecret)) }()
		select {
		case <-came:
		case err := <-ended:
			t.Errorf("%s asked nothing: %v", a.name, err)
		}
		cancel()
		if err := <-ended; err == nil || !errors.Is(err, context.Canceled) && fault.KindOf(err) == fault.Internal {
			t.Errorf("%s, when nobody waits, gives %v (%v)", a.name, err, fault.KindOf(err))
		}
		for len(came) > 0 {
			<-came
		}
	}
}

// endless is a forge whose every page says that there is another. What is given by parts is the caller's to end; what is
// given whole has a bound.
func endless(t *testing.T, open func(t *testing.T, url, token string) forge.Forge) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: fmt.Sprintf("page=%d", n+1)}
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, next.String()))
		w.Header().Set("X-Next-Page", fmt.Sprint(n+1))
		w.Header().Set("X-Total-Count", "100000000")
		items := make([]string, 100)
		for i := range items {
			items[i] = fmt.Sprintf(`{"id":%d,"number":%[1]d,"name":"n%[1]d","path":"p%[1]d","full_name":"acme/n%[1]d","path_with_namespace":"acme/n%[1]d","sha":"%040[1]d","context":"c%[1]d","state":"success","status":"success","key":"ssh-ed25519 AAAA"}`, int(n)*100+i)
		}
		list := "[" + strings.Join(items, ",") + "]"
		if last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]; last == "check-runs" || last == "status" || strings.Contains(r.URL.Path, "/git/trees/") {
			list = fmt.Sprintf(`{"total_count":100000000,"sha":"%040d","check_runs":%s,"statuses":%[2]s,"tree":%[2]s,"truncated":false}`, n, list)
		}
		_, _ = io.WriteString(w, list)
	}))
	defer s.Close()
	for _, a := range asks() {
		if !a.list {
			continue
		}
		asked.Store(0)
		// What it gives, if anything, is the forge's; that it comes to an end is the body's.
		if err := a.call(t.Context(), open(t, s.URL, troubleSecret)); err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%s gives %v", a.name, err)
		}
		if n := asked.Load(); n > 1100 {
			t.Errorf("%s asked %d times", a.name, n)
		}
	}
}
