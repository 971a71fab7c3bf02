package github_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/github"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const corpus = "../../../../../shared/corpus/webhooks"

// real gives GitHub's payloads in the corpus by their paths, with the event that the header of each would name.
func real(t testing.TB) map[string]string {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(corpus, "index.tsv"))
	if err != nil {
		lacktest.Log(t, "real deliveries are left out: %v", err)
		return nil
	}
	out := map[string]string{}
	for line := range strings.Lines(string(index)) {
		f := strings.Split(line, "\t")
		if f[1] != "github" {
			continue
		}
		path := strings.Split(f[0], "/")
		event := f[2]
		switch {
		case path[1] == "octokit__webhooks":
			event = path[2]
		case strings.HasPrefix(event, "push"):
			event = "push"
		case event == "zen":
			event = "ping"
		case event == "pr_comment":
			event = "issue_comment"
		case event == "pr_review":
			event = "pull_request_review"
		case strings.HasPrefix(event, "pr_"):
			event = "pull_request"
		case event == "delete_branch":
			event = "delete"
		}
		out[f[0]] = event
	}
	return out
}

func header(event string) http.Header {
	h := http.Header{}
	h.Set("X-GitHub-Event", event)
	h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	h.Set("Content-Type", "application/json")
	return h
}

// golden is what another reader of webhooks made of one, as far as the two have it both.
type golden struct {
	Action, Before, After string
	Ref                   json.RawMessage
	Repo                  struct{ ID, Namespace, Name, Clone, Branch string }
	Sender                struct{ Login string }
	PullRequest           struct {
		Number                int
		Title, Source, Target string
		Sha, Fork, Link, Body string
		Closed, Merged        bool
		Author                struct{ Login string }
	}
	Review *struct{ State string }
}

// Every real delivery is read; what it tells is what the payload and other readers say.
func TestRealDeliveries(t *testing.T) {
	t.Parallel()
	kinds := map[forge.Kind]int{}
	goldens := 0
	for path, event := range real(t) {
		body, err := os.ReadFile(filepath.Join(corpus, path))
		if err != nil {
			t.Fatal(err)
		}
		e, err := github.Hooks{}.Parse(header(event), body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		kinds[e.Kind]++
		plain := plainly(t, body)
		if plain.Repository.FullName != e.Repository.Name || plain.Sender.Login != e.Sender.Login || !strings.HasPrefix(e.Name, event) {
			t.Errorf("%s: %q is of %q by %q", path, e.Name, e.Repository.Name, e.Sender.Login)
		}
		if want := kindOf(event, plain); e.Kind != want {
			t.Errorf("%s is %s, want %s", path, e.Kind, want)
		}
		switch e.Kind {
		case forge.KindPush:
			if e.Push.Ref != plain.Ref || e.Push.New != zeroes(plain.After) || e.Push.Old != zeroes(plain.Before) || len(e.Push.Commits) != len(plain.Commits) || e.Time.Year() < 2000 {
				t.Errorf("%s: %+v at %s", path, e.Push, e.Time)
			}
		case forge.KindProposal, forge.KindReview:
			p, q := e.Proposal.Proposal, plain.PullRequest
			if p.Number != q.Number || p.Title != q.Title || p.Source.Branch != q.Head.Ref || p.Source.Commit != q.Head.SHA || p.Target.Branch != q.Base.Ref || p.Author.Login != q.User.Login || p.Created.IsZero() && q.Created != nil || e.Proposal.Action != action(event, plain) {
				t.Errorf("%s: %s %+v", path, e.Proposal.Action, p)
			}
		case forge.KindComment:
			if c := e.Proposal.Comment; c.Body != plain.Comment.Body || c.Author.Login != plain.Comment.User.Login || e.Proposal.Action != action(event, plain) || e.Proposal.Proposal.Number < 1 || c.Path != plain.Comment.Path {
				t.Errorf("%s: %s %+v", path, e.Proposal.Action, c)
			}
		case forge.KindCheck:
			if e.Check.Commit == "" || e.Check.Check.Name == "" || e.Check.Check.Updated.IsZero() {
				t.Errorf("%s: %+v", path, e.Check)
			}
		case forge.KindRepository:
			if (e.Change.OldName != "") != (plain.Action == "renamed" || plain.Action == "transferred") || strings.Count(e.Change.OldName, "/") > 1 || strings.HasPrefix(e.Change.OldName, "/") {
				t.Errorf("%s: %+v", path, e.Change)
			}
		}
		text, err := os.ReadFile(filepath.Join(corpus, path+".golden"))
		if err != nil {
			continue
		}
		goldens++
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if want := g.Repo.Namespace + "/" + g.Repo.Name; plain.Repository.FullName != "" && e.Repository.Name != want || e.Repository.ID != g.Repo.ID || g.Repo.Clone != "" && e.Repository.CloneURL != g.Repo.Clone {
			t.Errorf("%s is of %+v, others say %+v", path, e.Repository, g.Repo)
		}
		if e.Kind == forge.KindPush && (!strings.Contains(string(g.Ref), `"`+e.Push.Ref+`"`) || zeroes(g.After) != e.Push.New || zeroes(g.Before) != e.Push.Old) {
			t.Errorf("%s: %+v, others say %s from %s to %s", path, e.Push, g.Ref, g.Before, g.After)
		}
		if e.Kind == forge.KindProposal || e.Kind == forge.KindReview {
			p, q := e.Proposal.Proposal, g.PullRequest
			if p.Number != q.Number || p.Title != q.Title || p.Source.Branch != q.Source || p.Target.Branch != q.Target || p.Source.Commit != q.Sha || p.Source.Repository != q.Fork ||
				p.URL != q.Link || p.Body != q.Body || (p.State != forge.StateOpen) != q.Closed || (p.State == forge.StateMerged) != q.Merged || p.Author.Login != q.Author.Login {
				t.Errorf("%s: %+v, others say %+v", path, p, q)
			}
		}
	}
	t.Logf("kinds: %v; %d golden files", kinds, goldens)
}

func zeroes(hash string) string {
	if strings.Trim(hash, "0") == "" {
		return ""
	}
	return hash
}

// plain is a payload, read without any care.
type plain struct {
	Action, Ref, Before, After string
	Commits                    []any
	Repository                 struct {
		FullName string `json:"full_name"`
	}
	Sender struct{ Login string }
	Issue  struct {
		PullRequest any `json:"pull_request"`
	}
	Comment struct {
		Body, Path string
		User       struct{ Login string }
	}
	PullRequest struct {
		Number     int
		Title      string
		Merged     bool
		Created    any `json:"created_at"`
		Head, Base struct{ Ref, SHA string }
		User       struct{ Login string }
	} `json:"pull_request"`
}

func plainly(t *testing.T, body []byte) (p plain) {
	t.Helper()
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func kindOf(event string, p plain) forge.Kind {
	switch event {
	case "issue_comment":
		if p.Issue.PullRequest == nil {
			return forge.KindOther
		}
		return forge.KindComment
	case "pull_request_review_comment":
		return forge.KindComment
	case "pull_request_review":
		return forge.KindReview
	case "pull_request":
		return forge.KindProposal
	case "check_run", "status":
		return forge.KindCheck
	case "push", "ping", "repository":
		return forge.Kind(event)
	}
	return forge.KindOther
}

func action(event string, p plain) string {
	switch p.Action {
	case "opened", "reopened", "edited":
		return p.Action
	case "labeled", "unlabeled", "ready_for_review", "converted_to_draft":
		return forge.ActionEdited
	case "synchronize":
		return forge.ActionPushed
	case "closed":
		if p.PullRequest.Merged {
			return forge.ActionMerged
		}
		return forge.ActionClosed
	case "created", "submitted":
		return forge.ActionOpened
	case "dismissed":
		return forge.ActionRemoved
	}
	return forge.ActionOther
}

func signed(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Signatures that are not the SHA-256 of the whole body with one of the secrets are none.
func TestSignatures(t *testing.T) {
	t.Parallel()
	body := []byte("Hello, World!")
	// GitHub's own example: the secret "It's a Secret to Everybody" signs "Hello, World!".
	const example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	const secret = "It's a Secret to Everybody"
	for what, c := range map[string]struct {
		header  string
		secrets []string
		good    bool
	}{
		"GitHub's example": {example, []string{secret}, true}, "an older one": {signed(body, "old"), []string{secret, "old"}, true},
		"in capitals": {strings.Replace(strings.ToUpper(example), "SHA256", "sha256", 1), []string{secret}, true},
		"another":     {signed(body, "x"), []string{secret}, false}, "none": {"", []string{secret}, false}, "half": {example[:40], []string{secret}, false},
		"SHA-1": {"sha1=" + example[7:], []string{secret}, false}, "no hex": {"sha256=zz", []string{secret}, false}, "no secrets": {example, nil, false},
		"an empty secret": {signed(body, ""), []string{""}, false}, "with more": {example + "00", []string{secret}, false},
	} {
		h := http.Header{"X-Hub-Signature-256": {c.header}}
		if err := (github.Hooks{}).Verify(h, body, c.secrets...); (err == nil) != c.good || err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What can't be a delivery is told as such; what the contract does not have is no error.
func TestOddDeliveries(t *testing.T) {
	t.Parallel()
	repository := `"repository": {"id": 1, "full_name": "acme/a"}, "sender": {"login": "ann", "id": 2}`
	for _, c := range []struct {
		event, body string
		want        forge.Kind // "" for Invalid
	}{
		{"", `{}`, ""}, {"push", ``, ""}, {"push", `[]`, ""}, {"push", `null`, ""}, {"push", `{`, ""}, {"push", `{}`, ""}, {"push", `{` + repository + `}`, ""},
		{"push", `{"ref": 7, ` + repository + `}`, ""}, {"push", `{"ref": "main", ` + repository + `}`, ""}, {"pull_request", `{"action": "opened", ` + repository + `}`, ""},
		{"pull_request", `{"action": 1}`, ""}, {"pull_request_review", `{"pull_request": {"number": 1}, ` + repository + `}`, ""}, {"issue_comment", `{` + repository + `}`, ""},
		{"pull_request_review_comment", `{"pull_request": {"number": 1}, ` + repository + `}`, ""}, {"check_run", `{` + repository + `}`, ""}, {"status", `{` + repository + `}`, ""},
		{"repository", `{"action": "renamed"}`, ""}, {"repository", `{"repository": null}`, ""}, {"ping", `{}`, forge.KindPing}, {"star", `{"action": 7}`, forge.KindOther},
		{"whatever", `{"repository": "acme"}`, forge.KindOther}, {"repository", `{"action": "privatized", ` + repository + `}`, forge.KindRepository},
		{"push", `{"ref": "refs/heads/x", "before": "` + strings.Repeat("1", 40) + `", "after": "` + strings.Repeat("0", 40) + `", ` + repository + `}`, forge.KindPush},
	} {
		e, err := github.Hooks{}.Parse(header(c.event), []byte(c.body))
		if c.want == "" && !fault.Is(err, fault.Invalid) || c.want != "" && (err != nil || e.Kind != c.want) {
			t.Errorf("%s %s: %s, %v", c.event, c.body, e.Kind, err)
		}
	}
	h := header("ping")
	h.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if e, err := (github.Hooks{}).Parse(h, []byte("payload="+url.QueryEscape(`{`+repository+`}`))); err != nil || e.Repository.Name != "acme/a" {
		t.Errorf("as a form: %+v, %v", e, err)
	}
}

func FuzzParse(f *testing.F) {
	for path, event := range real(f) {
		body, err := os.ReadFile(filepath.Join(corpus, path))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(event, body, false)
	}
	f.Add("push", []byte(`payload=%7B%7D`), true)
	f.Fuzz(func(t *testing.T, event string, body []byte, form bool) {
		h := header(event)
		if form {
			h.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		e, err := github.Hooks{}.Parse(h, body)
		switch {
		case err != nil:
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%v is not Invalid: %v", fault.KindOf(err), err)
			}
		case e.Kind == "" || e.Kind == forge.KindPush && e.Push == nil || e.Kind == forge.KindProposal && e.Proposal == nil || e.Kind == forge.KindRepository && e.Change == nil ||
			e.Kind == forge.KindComment && (e.Proposal == nil || e.Proposal.Comment == nil) || e.Kind == forge.KindReview && (e.Proposal == nil || e.Proposal.Review == nil) ||
			e.Kind == forge.KindCheck && e.Check == nil:
			t.Errorf("%+v has not what its kind tells", e)
		}
	})
}
