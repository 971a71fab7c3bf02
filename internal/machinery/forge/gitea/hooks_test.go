package gitea_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func headers(prefix, event string) http.Header {
	h := http.Header{}
	h.Set("X-"+prefix+"-Event", event)
	h.Set("X-"+prefix+"-Delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473")
	return h
}

// recorded is a delivery of the corpus.
type recorded struct {
	file, prefix, event string
	kind                forge.Kind
	action              string
	body                []byte
}

// deliveries reads what the corpus has. It has no headers: what they were follows from its own index.
func deliveries(t testing.TB) (out []recorded) {
	t.Helper()
	root := lacktest.Corpus(t, "webhooks")
	index, err := os.Open(filepath.Join(root, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	for lines := bufio.NewScanner(index); lines.Scan(); {
		column := strings.Split(lines.Text(), "\t")
		prefix := map[string]string{"gitea": "Gitea", "forgejo": "Forgejo", "gogs": "Gogs"}[column[1]]
		if prefix == "" {
			continue
		}
		r := recorded{file: filepath.Join(root, column[0]), prefix: prefix, action: column[3]}
		switch what := column[2]; {
		case what == "push":
			r.event, r.kind = "push", forge.KindPush
		case what == "create_branch":
			r.event, r.kind = "create", forge.KindOther
		case what == "delete_branch":
			r.event, r.kind = "delete", forge.KindPush
		case what == "issue_comment":
			r.event, r.kind = "issue_comment", forge.KindOther
		case what == "pr_comment":
			r.event, r.kind = "issue_comment", forge.KindComment
		case strings.HasPrefix(what, "pr_"):
			r.event, r.kind = "pull_request", forge.KindProposal
			if r.action == "reviewed" {
				r.kind = forge.KindReview
			}
		default:
			r.event, r.kind = "issues", forge.KindOther
		}
		if r.body, err = os.ReadFile(r.file); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if len(out) < 30 {
		t.Fatalf("the corpus has %d deliveries", len(out))
	}
	return out
}

// Every recorded delivery is read as what it is.
func TestRecordedDeliveriesAreRead(t *testing.T) {
	t.Parallel()
	actions := map[string]string{
		"opened": forge.ActionOpened, "closed": forge.ActionClosed, "reopened": forge.ActionReopened, "edited": forge.ActionEdited, "label_updated": forge.ActionEdited,
		"created": forge.ActionOpened, "reviewed": forge.ActionOpened,
	}
	for _, r := range deliveries(t) {
		e, err := gitea.Hooks{}.Parse(headers(r.prefix, r.event), r.body)
		if err != nil {
			t.Errorf("%s: %v", r.file, err)
			continue
		}
		if e.Kind != r.kind || e.Repository.Name == "" || e.Repository.ID == "0" || e.Sender.Login == "" || e.Delivery == "" || e.Name != strings.TrimSpace(r.event+" "+r.action) {
			t.Errorf("%s is %+v", r.file, e)
		}
		complete(t, r.file, e)
		if p := e.Proposal; p != nil {
			want := actions[r.action]
			if want == "" {
				want = forge.ActionOther
			}
			if p.Proposal.State == forge.StateMerged {
				want = forge.ActionMerged
			}
			if p.Action != want || p.Proposal.Number < 1 || p.Proposal.Title == "" || p.Proposal.Author.Login == "" {
				t.Errorf("%s: want %s, got %+v", r.file, want, p)
			}
		}
		if p := e.Push; p != nil && len(p.Commits) > 0 && p.Commits[len(p.Commits)-1].Hash != p.New {
			t.Errorf("%s: the newest commit is not the last: %+v", r.file, p)
		}
		golden(t, r.file, e)
	}
}

// complete holds an event to what its kind promises.
func complete(t testing.TB, what string, e forge.Event) {
	t.Helper()
	p := e.Proposal
	if (e.Push != nil) != (e.Kind == forge.KindPush) || (e.Check != nil) != (e.Kind == forge.KindCheck) || (e.Change != nil) != (e.Kind == forge.KindRepository) ||
		(p != nil) != slices.Contains([]forge.Kind{forge.KindProposal, forge.KindComment, forge.KindReview}, e.Kind) ||
		p != nil && ((p.Comment != nil) != (e.Kind == forge.KindComment) || (p.Review != nil) != (e.Kind == forge.KindReview)) {
		t.Errorf("%s: a %s has %+v", what, e.Kind, e)
	}
	if e.Push != nil && e.Push.Ref == "" || e.Check != nil && (e.Check.Commit == "" || e.Check.Check.Name == "") || p != nil && p.Action == "" {
		t.Errorf("%s: a %s lacks something: %+v", what, e.Kind, e)
	}
}

// golden compares an event with what another reader of the same delivery made of it, where that is recorded.
func golden(t *testing.T, file string, e forge.Event) {
	t.Helper()
	text, err := os.ReadFile(file + ".golden")
	if err != nil {
		return
	}
	type user struct{ Login, Name, Email string }
	type change struct {
		Sha, Message string
		Author       struct {
			Name, Email, Login string
			Date               time.Time
		}
	}
	var g struct {
		Ref  any
		Repo struct {
			ID, Namespace, Name, Branch, Clone, Link string
			Private                                  bool
		}
		Before      string
		Commit      *change
		Commits     []change
		PullRequest *struct {
			Number                                 int
			Title, Body, Sha, Source, Target, Link string
			Closed, Merged                         bool
			Author                                 user
		}
		Comment *struct {
			ID     int
			Body   string
			Author user
		}
		Sender user
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the %s is %v, want %v", file, what, got, want)
		}
	}
	r := e.Repository
	same("repository", []any{r.ID, r.Name, r.DefaultBranch, r.CloneURL, r.URL, r.Private},
		[]any{g.Repo.ID, g.Repo.Namespace + "/" + g.Repo.Name, g.Repo.Branch, g.Repo.Clone, g.Repo.Link, g.Repo.Private})
	same("sender", user{e.Sender.Login, e.Sender.Name, e.Sender.Email}, g.Sender)
	if ref, ok := g.Ref.(map[string]any); ok && e.Push != nil { // of a branch that is deleted
		same("branch", *e.Push, forge.Push{Ref: fmt.Sprint("refs/heads/", ref["Name"])})
	}
	if g.Commit != nil {
		same("push", []string{e.Push.Ref, e.Push.Old, e.Push.New}, []string{fmt.Sprint(g.Ref), g.Before, g.Commit.Sha})
		for i, c := range g.Commits {
			got := e.Push.Commits[i]
			same("commit", []any{got.Hash, got.Message, got.Author, got.AuthorLogin},
				[]any{c.Sha, c.Message, forge.Signature{Name: c.Author.Name, Email: c.Author.Email, When: c.Author.Date}, c.Author.Login})
		}
	}
	if p := g.PullRequest; p != nil {
		got := e.Proposal.Proposal
		same("proposal", []any{got.Number, got.Title, got.Source.Branch, got.Target.Branch, got.Source.Commit, got.State != forge.StateOpen, got.State == forge.StateMerged, got.Author.Login},
			[]any{p.Number, p.Title, p.Source, p.Target, p.Sha, p.Closed, p.Merged, p.Author.Login})
		if p.Link != "" {
			same("address", []string{got.URL, got.Body}, []string{p.Link, p.Body})
		}
	}
	if c := g.Comment; c != nil && e.Proposal != nil {
		got := e.Proposal.Comment
		same("comment", []any{got.ID, got.Body, got.Author.Login}, []any{fmt.Sprint(c.ID), c.Body, c.Author.Login})
	}
}

// A delivery is taken for Gitea's, Forgejo's or Gogs' by the signature that each of them makes.
func TestSignatures(t *testing.T) {
	t.Parallel()
	const body = `{"ref": "refs/heads/main"}`
	sign := func(secret string) string {
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write([]byte(body))
		return hex.EncodeToString(sum.Sum(nil))
	}
	signed := sign("hidden")
	for name, value := range map[string]string{
		"X-Gitea-Signature": signed, "X-Forgejo-Signature": signed, "X-Gogs-Signature": signed, "X-Hub-Signature-256": "sha256=" + signed,
	} {
		h := http.Header{}
		h.Set(name, value)
		for _, secrets := range [][]string{{"hidden"}, {"older", "hidden"}, {"hidden", ""}} {
			if err := (gitea.Hooks{}).Verify(h, []byte(body), secrets...); err != nil {
				t.Errorf("%s with %q: %v", name, secrets, err)
			}
		}
		for _, secrets := range [][]string{nil, {""}, {"Hidden"}} {
			if err := (gitea.Hooks{}).Verify(h, []byte(body), secrets...); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s with %q: %v", name, secrets, err)
			}
		}
	}
	for _, wrong := range []string{"", sign("other"), signed[:62], signed + "00", "zz" + signed[2:], sign("")} {
		h := http.Header{}
		h.Set("X-Gitea-Signature", wrong)
		for _, secrets := range [][]string{{"hidden"}, {""}} {
			if err := (gitea.Hooks{}).Verify(h, []byte(body), secrets...); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("the signature %q: %v", wrong, err)
			}
		}
	}
}

// What forges send besides is read too, and what nobody sends is refused.
func TestDeliveriesOfAllKinds(t *testing.T) {
	t.Parallel()
	const of = `"repository": {"id": 1, "full_name": "shop/api"}, "sender": {"id": 2, "login": "ann"}`
	pull := func(more string) string {
		return `"pull_request": {"number": 3, "title": "WIP: x", "state": "open", "user": {"login": "ann"}, "head": {"label": "f", "ref": "refs/pull/3/head", "sha": "abc"}` + more + `}`
	}
	hooks := gitea.Hooks{}
	for _, c := range []struct {
		event, body string
		ok          func(e forge.Event) bool
	}{
		{"ping", `{}`, func(e forge.Event) bool { return e.Kind == forge.KindPing }},
		{"wiki", `{"action": "created", ` + of + `}`, func(e forge.Event) bool { return e.Kind == forge.KindOther && e.Name == "wiki created" }},
		{"delete", `{"ref": "v1", "ref_type": "tag", ` + of + `}`, func(e forge.Event) bool { return e.Push.Ref == "refs/tags/v1" && e.Push.New == "" }},
		{"delete", `{"ref": "v1", "ref_type": "moon", ` + of + `}`, func(e forge.Event) bool { return e.Kind == forge.KindOther }},
		{"push", `{"ref": "refs/heads/x", "before": "` + strings.Repeat("0", 40) + `", "after": "` + strings.Repeat("1", 64) + `", ` + of + `}`,
			func(e forge.Event) bool { return e.Push.Old == "" && e.Push.New == strings.Repeat("1", 64) }},
		{"repository", `{"action": "deleted", ` + of + `}`, func(e forge.Event) bool { return e.Change.Action == forge.RepositoryDeleted }},
		{"status", `{"sha": "abc", "context": "ci", "state": "failure", "updated_at": "2026-05-04T12:00:00Z", ` + of + `}`,
			func(e forge.Event) bool {
				return e.Check.Check.State == forge.CheckFailed && e.Check.Commit == "abc" && !e.Time.IsZero()
			}},
		{"pull_request", `{"action": "synchronized", ` + pull("") + `, ` + of + `}`,
			func(e forge.Event) bool {
				p := e.Proposal.Proposal
				return e.Proposal.Action == forge.ActionPushed && p.Draft && p.Title == "x" && p.Source.Branch == "f" && p.Mergeable == forge.MergeBlocked
			}},
		{"pull_request", `{"action": "closed", ` + pull(`, "merged": true, "merged_at": "2026-05-04T12:00:00Z", "merge_commit_sha": "def"`) + `, ` + of + `}`,
			func(e forge.Event) bool {
				p := e.Proposal.Proposal
				return e.Proposal.Action == forge.ActionMerged && p.MergeCommit == "def" && !p.Closed.IsZero()
			}},
		{"pull_request_approved", `{"action": "reviewed", "review": {"type": "pull_request_review_approved", "content": "good"}, ` + pull("") + `, ` + of + `}`,
			func(e forge.Event) bool {
				r := e.Proposal.Review
				return r.Verdict == forge.Approved && r.Body == "good" && r.Commit == "abc" && r.Author.Login == "ann"
			}},
		{"pull_request_rejected", `{"action": "reviewed", ` + pull("") + `, ` + of + `}`, func(e forge.Event) bool { return e.Proposal.Review.Verdict == forge.Refused }},
		{"pull_request_comment", `{"action": "reviewed", ` + pull("") + `, ` + of + `}`, func(e forge.Event) bool { return e.Proposal.Review.Verdict == forge.Commented }},
		{"issue_comment", `{"action": "deleted", "comment": {"id": 4, "body": "b"}, "issue": {"number": 3, "title": "x"}, ` + pull("") + `, ` + of + `}`,
			func(e forge.Event) bool {
				return e.Proposal.Action == forge.ActionRemoved && e.Proposal.Comment.ID == "4" && e.Proposal.Proposal.Source.Commit == "abc"
			}},
	} {
		e, err := hooks.Parse(headers("Gitea", c.event), []byte(c.body))
		if err != nil || !c.ok(e) {
			t.Errorf("%s %s is %+v, %v", c.event, c.body, e, err)
		}
		complete(t, c.event, e)
	}
	for _, bad := range []struct {
		h    http.Header
		body string
	}{
		{http.Header{}, `{}`}, {headers("Gitea", "push"), ``}, {headers("Gitea", "push"), `[]`}, {headers("Gitea", "push"), `{"ref": 1}`}, {headers("Gitea", "push"), `{"ref": "refs/heads/x"}`},
		{http.Header{"X-Gitea-Event": {"push"}, "Content-Type": {"application/x-www-form-urlencoded"}}, `payload={}`},
	} {
		if e, err := hooks.Parse(bad.h, []byte(bad.body)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v %q is %+v, %v", bad.h, bad.body, e, err)
		}
	}
}

// FuzzParse feeds anything; where the corpus is there, it begins with that.
func FuzzParse(f *testing.F) {
	for _, event := range []string{"push", "pull_request", "pull_request_approved", "issue_comment", "status", "repository", "delete", "create", "ping", ""} {
		f.Add(event, []byte(`{"action": "opened", "ref": "x", "ref_type": "tag", "sha": "a", "context": "c", "repository": {"full_name": "a/b"}, "pull_request": {"labels": [{}]}, "comment": {}, "issue": {"pull_request": {}}, "review": {"type": "x"}, "commits": [{}, {}]}`))
		f.Add(event, []byte(`{"repository": null, "pull_request": {"head": null, "base": {}}, "issue": null}`))
	}
	if _, err := os.Stat("../../../../../shared/corpus/webhooks/index.tsv"); err == nil {
		for _, r := range deliveries(f) {
			f.Add(r.event, r.body)
		}
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		e, err := gitea.Hooks{}.Parse(headers("Gitea", event), body)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if e.Kind == "" || e.Kind != forge.KindOther && e.Kind != forge.KindPing && e.Repository.Name == "" {
			t.Errorf("%+v", e)
		}
		complete(t, event, e)
	})
}
