package github

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Hooks reads GitHub's webhooks.
type Hooks struct{}

var _ forge.Hooks = Hooks{}

// Verify looks at the SHA-256 signature alone; the older one by SHA-1 proves nothing.
func (Hooks) Verify(h http.Header, body []byte, secrets ...string) error {
	told, ok := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
	sum, err := hex.DecodeString(told)
	if !ok || err != nil {
		return fault.Errorf(fault.Unauthenticated, "the delivery has no signature (X-Hub-Signature-256); give the webhook its secret")
	}
	good := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), sum) && secret != "" { // an empty one signs, too
			good = true
		}
	}
	if !good {
		return fault.Errorf(fault.Unauthenticated, "the delivery is not signed with the webhook's secret")
	}
	return nil
}

// Delivery gives GitHub's id.
func (Hooks) Delivery(h http.Header) string { return h.Get("X-GitHub-Delivery") }

// hookRepository is a repository as webhooks write it: its times are numbers in some and texts in others.
type hookRepository struct {
	ID            int64         `json:"id"`
	FullName      string        `json:"full_name"`
	Name          string        `json:"name"`
	Description   string        `json:"description"`
	DefaultBranch string        `json:"default_branch"`
	HTMLURL       string        `json:"html_url"`
	CloneURL      string        `json:"clone_url"`
	Private       bool          `json:"private"`
	Archived      bool          `json:"archived"`
	Fork          bool          `json:"fork"`
	CreatedAt     *gh.Timestamp `json:"created_at"`
	PushedAt      *gh.Timestamp `json:"pushed_at"`
	UpdatedAt     *gh.Timestamp `json:"updated_at"`
}

func at(t *gh.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Parse reads a delivery, whether the webhook sends JSON or a form.
func (hooks Hooks) Parse(h http.Header, body []byte) (forge.Event, error) {
	if form, _, _ := mime.ParseMediaType(h.Get("Content-Type")); form == "application/x-www-form-urlencoded" {
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return forge.Event{}, unread(err)
		}
		body = []byte(values.Get("payload"))
	}
	name := h.Get("X-GitHub-Event")
	e := forge.Event{Delivery: hooks.Delivery(h), Kind: forge.KindOther, Name: name}
	if name == "" {
		return e, fault.Errorf(fault.Invalid, "the delivery does not tell its event (X-GitHub-Event); it is not GitHub's")
	}
	if body = bytes.TrimSpace(body); !json.Valid(body) || body[0] != '{' {
		return e, fault.Errorf(fault.Invalid, "the delivery of %.60q is not a JSON object", name)
	}
	reader := readerOf(name)
	var common struct {
		Action     string          `json:"action"`
		Repository *hookRepository `json:"repository"`
		Sender     *gh.User        `json:"sender"`
	}
	if err := json.Unmarshal(body, &common); err != nil && reader != nil {
		return e, unread(err)
	}
	e.Sender = personOf(common.Sender)
	if common.Action != "" {
		e.Name += " " + common.Action
	}
	if r := common.Repository; r != nil {
		e.Repository = forge.Repository{
			ID: id(r.ID), Name: r.FullName, Description: r.Description, DefaultBranch: r.DefaultBranch, URL: r.HTMLURL, CloneURL: r.CloneURL,
			Private: r.Private, Archived: r.Archived, Fork: r.Fork, Created: at(r.CreatedAt), Changed: at(r.PushedAt),
		}
	}
	if reader == nil {
		return e, nil
	}
	if common.Repository == nil && name != "ping" || common.Repository != nil && common.Repository.FullName == "" {
		return e, fault.Errorf(fault.Invalid, "the delivery of %q does not tell its repository", name)
	}
	if err := reader(body, common.Action, common.Repository, &e); err != nil {
		return e, unread(err)
	}
	return e, nil
}

func unread(err error) error {
	return fault.Errorf(fault.Invalid, "the delivery can't be read: %w", err)
}

type reader func(body []byte, action string, r *hookRepository, e *forge.Event) error

// readerOf gives what reads an event; nil for one that the contract does not have.
func readerOf(event string) reader {
	return map[string]reader{
		"ping": readPing, "push": readPush, "pull_request": readPull, "issue_comment": readComment, "pull_request_review_comment": readLineComment,
		"pull_request_review": readReview, "check_run": readRun, "status": readStatus, "repository": readRepository,
	}[event]
}

func readPing(_ []byte, _ string, _ *hookRepository, e *forge.Event) error {
	e.Kind = forge.KindPing
	return nil
}

func readPush(body []byte, _ string, r *hookRepository, e *forge.Event) error {
	var p struct {
		Ref, Before, After string
		Forced             bool
		Commits            []struct {
			ID, Message, URL         string
			Timestamp                *gh.Timestamp
			Author, Committer        struct{ Name, Email, Username string }
			Added, Removed, Modified []string
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if !strings.HasPrefix(p.Ref, "refs/") || !git.IsHash(p.Before) || !git.IsHash(p.After) {
		return fault.Errorf(fault.Invalid, "it is a push without a reference that moved")
	}
	push := &forge.Push{Ref: p.Ref, Old: hash(p.Before), New: hash(p.After), Forced: p.Forced}
	seen := map[string]bool{}
	for _, c := range p.Commits {
		when := at(c.Timestamp)
		push.Commits = append(push.Commits, forge.Commit{
			Hash: c.ID, Message: c.Message, URL: c.URL, AuthorLogin: c.Author.Username,
			Author: forge.Signature{Name: c.Author.Name, Email: c.Author.Email, When: when}, Committer: forge.Signature{Name: c.Committer.Name, Email: c.Committer.Email, When: when},
		})
		for _, path := range slices.Concat(c.Added, c.Removed, c.Modified) {
			if !seen[path] {
				seen[path] = true
				push.Paths = append(push.Paths, path)
			}
		}
	}
	e.Kind, e.Push, e.Time = forge.KindPush, push, at(r.PushedAt)
	return nil
}

// hash gives "" for the one that stands for nothing.
func hash(h string) string {
	if strings.Trim(h, "0") == "" {
		return ""
	}
	return h
}

// pulled is what is told with an event of a pull request.
type pulled struct {
	PullRequest *gh.PullRequest        `json:"pull_request"`
	Comment     *gh.PullRequestComment `json:"comment"`
	Review      *gh.PullRequestReview  `json:"review"`
}

func readPulled(body []byte, e *forge.Event) (*pulled, error) {
	p := &pulled{}
	if err := json.Unmarshal(body, p); err != nil {
		return nil, err
	}
	if p.PullRequest.GetNumber() < 1 {
		return nil, fault.Errorf(fault.Invalid, "it does not tell its pull request")
	}
	e.Proposal = &forge.ProposalEvent{Action: forge.ActionOther, Proposal: proposalOf(p.PullRequest)}
	e.Time = p.PullRequest.GetUpdatedAt().UTC()
	return p, nil
}

func readPull(body []byte, action string, _ *hookRepository, e *forge.Event) error {
	p, err := readPulled(body, e)
	if err != nil {
		return err
	}
	e.Kind = forge.KindProposal
	switch action {
	case "opened":
		e.Proposal.Action = forge.ActionOpened
	case "synchronize":
		e.Proposal.Action = forge.ActionPushed
	case "edited", "labeled", "unlabeled", "ready_for_review", "converted_to_draft":
		e.Proposal.Action = forge.ActionEdited
	case "reopened":
		e.Proposal.Action = forge.ActionReopened
	case "closed":
		e.Proposal.Action = forge.ActionClosed
		if p.PullRequest.GetMerged() {
			e.Proposal.Action = forge.ActionMerged
		}
	}
	return nil
}

// actionOn gives the action on a comment or a review.
func actionOn(action string) string {
	switch action {
	case "created", "submitted":
		return forge.ActionOpened
	case "edited":
		return forge.ActionEdited
	case "deleted", "dismissed":
		return forge.ActionRemoved
	}
	return forge.ActionOther
}

// readComment leaves out the comments of issues, which GitHub tells with the same event.
func readComment(body []byte, action string, _ *hookRepository, e *forge.Event) error {
	var p struct {
		Issue   *gh.Issue
		Comment *gh.IssueComment
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if p.Issue.GetNumber() < 1 || p.Comment.GetID() == 0 {
		return fault.Errorf(fault.Invalid, "it does not tell what was said of what")
	}
	if !p.Issue.IsPullRequest() {
		return nil
	}
	c, i := commentOf(p.Comment), p.Issue
	e.Kind, e.Time = forge.KindComment, c.Updated
	e.Proposal = &forge.ProposalEvent{Action: actionOn(action), Comment: &c, Proposal: forge.Proposal{
		Number: i.GetNumber(), Title: i.GetTitle(), Body: i.GetBody(), State: stateOf(i.GetState(), i.PullRequestLinks.MergedAt != nil), Draft: i.GetDraft(),
		Author: personOf(i.User), URL: i.GetHTMLURL(), Created: i.GetCreatedAt().Time, Updated: i.GetUpdatedAt().Time, Closed: i.GetClosedAt().Time, CommentCount: i.GetComments(),
	}}
	return nil
}

func readLineComment(body []byte, action string, _ *hookRepository, e *forge.Event) error {
	p, err := readPulled(body, e)
	if err != nil {
		return err
	}
	if p.Comment.GetID() == 0 {
		return fault.Errorf(fault.Invalid, "it does not tell what was said")
	}
	c := lineCommentOf(p.Comment)
	e.Kind, e.Time, e.Proposal.Action, e.Proposal.Comment = forge.KindComment, c.Updated, actionOn(action), &c
	return nil
}

func readReview(body []byte, action string, _ *hookRepository, e *forge.Event) error {
	p, err := readPulled(body, e)
	if err != nil {
		return err
	}
	if p.Review.GetID() == 0 {
		return fault.Errorf(fault.Invalid, "it does not tell its review")
	}
	r := reviewOf(p.Review)
	e.Kind, e.Proposal.Action, e.Proposal.Review = forge.KindReview, actionOn(action), &r
	if !r.Created.IsZero() && action == "submitted" {
		e.Time = r.Created
	}
	return nil
}

// readRun reads no more than is told on: some times deep within are of other forms.
func readRun(body []byte, _ string, _ *hookRepository, e *forge.Event) error {
	var p struct {
		CheckRun struct {
			Name        string
			Commit      string        `json:"head_sha"`
			Status      string        `json:"status"`
			Conclusion  string        `json:"conclusion"`
			DetailsURL  string        `json:"details_url"`
			StartedAt   *gh.Timestamp `json:"started_at"`
			CompletedAt *gh.Timestamp `json:"completed_at"`
			Output      struct{ Title string }
		} `json:"check_run"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	r := &p.CheckRun
	if r.Name == "" || r.Commit == "" {
		return fault.Errorf(fault.Invalid, "it does not tell its check")
	}
	c := runOf(&gh.CheckRun{
		Name: &r.Name, Status: &r.Status, Conclusion: &r.Conclusion, DetailsURL: &r.DetailsURL, StartedAt: r.StartedAt, CompletedAt: r.CompletedAt,
		Output: &gh.CheckRunOutput{Title: &r.Output.Title},
	})
	e.Kind, e.Time, e.Check = forge.KindCheck, c.Updated, &forge.CheckEvent{Commit: r.Commit, Check: c}
	return nil
}

func readStatus(body []byte, _ string, _ *hookRepository, e *forge.Event) error {
	s, p := &gh.RepoStatus{}, struct{ SHA string }{}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	if err := json.Unmarshal(body, s); err != nil {
		return err
	}
	if p.SHA == "" || s.GetContext() == "" {
		return fault.Errorf(fault.Invalid, "it does not tell its check")
	}
	c := statusOf(s)
	e.Kind, e.Time, e.Check = forge.KindCheck, c.Updated, &forge.CheckEvent{Commit: p.SHA, Check: c}
	return nil
}

func readRepository(body []byte, action string, r *hookRepository, e *forge.Event) error {
	var p struct {
		Changes struct {
			Repository struct {
				Name struct{ From string }
			}
			Owner struct {
				From struct{ User, Organization struct{ Login string } }
			}
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	change := &forge.RepositoryEvent{Action: forge.RepositoryEdited}
	owner, _, _ := strings.Cut(r.FullName, "/")
	switch action {
	case "created", "deleted", "archived", "unarchived":
		change.Action = action // in the contract's words too
	case "renamed":
		change.Action, change.OldName = forge.RepositoryRenamed, owner+"/"+p.Changes.Repository.Name.From
	case "transferred":
		from := p.Changes.Owner.From
		change.Action, change.OldName = forge.RepositoryTransferred, from.User.Login+from.Organization.Login+"/"+r.Name
	}
	e.Kind, e.Change, e.Time = forge.KindRepository, change, at(r.UpdatedAt)
	return nil
}
