package gitea

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Hooks reads the webhooks of Gitea, Forgejo and Gogs.
type Hooks struct{}

var _ forge.Hooks = Hooks{}

// first gives the first of these headers that says something.
func first(h http.Header, names ...string) string {
	for _, name := range names {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// Verify looks at the HMAC of the body, which Gitea sends under the names of those that came before it too.
func (Hooks) Verify(h http.Header, body []byte, secrets ...string) error {
	said := first(h, "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature")
	if said == "" {
		said = strings.TrimPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
	}
	signature, err := hex.DecodeString(said)
	right := false
	for _, secret := range secrets {
		if secret == "" {
			continue // what everybody knows signs nothing
		}
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write(body)
		right = hmac.Equal(sum.Sum(nil), signature) || right
	}
	if err != nil || !right {
		return fault.Errorf(fault.Unauthenticated, "the delivery is not signed with the secret of this webhook")
	}
	return nil
}

// Delivery gives Gitea's id.
func (Hooks) Delivery(h http.Header) string {
	return first(h, "X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gogs-Delivery")
}

type pushedCommit struct {
	ID        string   `json:"id"`
	Message   string   `json:"message"`
	URL       string   `json:"url"`
	Author    person   `json:"author"`
	Committer person   `json:"committer"`
	Timestamp stamp    `json:"timestamp"`
	Added     []string `json:"added"`
	Removed   []string `json:"removed"`
	Modified  []string `json:"modified"`
}

// payload has what the contract wants of all deliveries.
type payload struct {
	Action     string      `json:"action"`
	Number     int         `json:"number"` // of the pull request, which may lack it
	Repository *repository `json:"repository"`
	Sender     *person     `json:"sender"`

	Ref     string         `json:"ref"`
	RefType string         `json:"ref_type"`
	Before  string         `json:"before"`
	After   string         `json:"after"`
	Commits []pushedCommit `json:"commits"`

	Pull   *pull `json:"pull_request"`
	Review *struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	} `json:"review"`
	Comment *comment `json:"comment"`
	Issue   *struct {
		pull
		Pull *struct {
			Merged bool `json:"merged"`
		} `json:"pull_request"`
	} `json:"issue"`

	SHA         string `json:"sha"`
	Context     string `json:"context"`
	State       string `json:"state"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
	Created     stamp  `json:"created_at"`
	Updated     stamp  `json:"updated_at"`
}

// Parse reads a delivery.
func (hooks Hooks) Parse(h http.Header, body []byte) (forge.Event, error) {
	event := first(h, "X-Forgejo-Event", "X-Gitea-Event", "X-Gogs-Event")
	if event == "" {
		return forge.Event{}, fault.Errorf(fault.Invalid, "the delivery has no X-Gitea-Event: it is not from Gitea")
	}
	if strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return forge.Event{}, fault.Errorf(fault.Invalid, "the webhook sends forms; set its content type to application/json")
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return forge.Event{}, fault.Errorf(fault.Invalid, "the delivery can't be read: %w", err)
	}
	name := cmp.Or(first(h, "X-Forgejo-Event-Type", "X-Gitea-Event-Type", "X-Gogs-Event-Type"), event)
	e := forge.Event{
		Delivery: hooks.Delivery(h), Kind: forge.KindOther,
		Name: strings.TrimSpace(name + " " + p.Action), Repository: p.Repository.repository(), Sender: p.Sender.person(),
	}
	if p.Pull != nil {
		p.Pull.Number = cmp.Or(p.Pull.Number, p.Number)
	}
	p.read(event, &e)
	if e.Kind != forge.KindOther && e.Kind != forge.KindPing && e.Repository.Name == "" {
		return forge.Event{}, fault.Errorf(fault.Invalid, "the delivery of %.100q names no repository", e.Name)
	}
	return e, nil
}

// read finds what a delivery is about. What lacks what its kind has stays KindOther.
func (p *payload) read(event string, e *forge.Event) {
	switch event {
	case "ping":
		e.Kind = forge.KindPing
	case "push":
		p.push(e)
	case "delete":
		if kind := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[p.RefType]; kind != "" && p.Ref != "" {
			e.Kind, e.Push = forge.KindPush, &forge.Push{Ref: kind + strings.TrimPrefix(p.Ref, kind)}
		}
	case "issue_comment":
		p.comment(e)
	case "status":
		if p.SHA != "" && p.Context != "" {
			e.Kind, e.Time = forge.KindCheck, p.Updated.Time
			if e.Time.IsZero() {
				e.Time = p.Created.Time
			}
			e.Check = &forge.CheckEvent{Commit: p.SHA, Check: forge.Check{
				Name: p.Context, State: checkState(p.State), Description: p.Description, URL: p.TargetURL, Updated: e.Time,
			}}
		}
	case "repository":
		action := map[string]string{"created": forge.RepositoryCreated, "deleted": forge.RepositoryDeleted}[p.Action]
		if action != "" {
			e.Kind, e.Change = forge.KindRepository, &forge.RepositoryEvent{Action: action}
		}
	case "pull_request", "pull_request_approved", "pull_request_rejected", "pull_request_comment":
		p.proposal(event, e)
	}
}

func (p *payload) push(e *forge.Event) {
	if p.Ref == "" {
		return
	}
	e.Kind = forge.KindPush
	e.Push = &forge.Push{Ref: p.Ref, Old: some(p.Before), New: some(p.After)}
	if len(p.Commits) > 1 && p.Commits[0].ID == p.After { // the newest is first
		slices.Reverse(p.Commits)
	}
	seen := map[string]bool{}
	for _, c := range p.Commits {
		e.Push.Commits = append(e.Push.Commits, forge.Commit{
			Hash: c.ID, Message: c.Message, URL: c.URL, AuthorLogin: c.Author.Username,
			Author: c.Author.signed(c.Timestamp), Committer: c.Committer.signed(c.Timestamp),
		})
		for _, path := range slices.Concat(c.Added, c.Removed, c.Modified) {
			if !seen[path] {
				seen[path] = true
				e.Push.Paths = append(e.Push.Paths, path)
			}
		}
	}
}

// some gives "" for the hash that stands for nothing.
func some(hash string) string {
	if strings.Trim(hash, "0") == "" || hash == git.Zero {
		return ""
	}
	return hash
}

// comment reads one on a proposal; others are not the contract's.
func (p *payload) comment(e *forge.Event) {
	if p.Comment == nil || p.Issue == nil || p.Issue.Pull == nil && p.Pull == nil {
		return
	}
	action := map[string]string{"created": forge.ActionOpened, "edited": forge.ActionEdited, "deleted": forge.ActionRemoved}[p.Action]
	of := &p.Issue.pull
	if p.Pull != nil {
		of = p.Pull
	} else {
		of.Merged = p.Issue.Pull.Merged
	}
	c := p.Comment.comment()
	e.Kind, e.Time = forge.KindComment, c.Updated
	e.Proposal = &forge.ProposalEvent{Action: cmp.Or(action, forge.ActionOther), Proposal: of.proposal(), Comment: &c}
}

// actions are Gitea's words for those on a proposal.
var actions = map[string]string{
	"opened": forge.ActionOpened, "synchronized": forge.ActionPushed, "synchronize": forge.ActionPushed, "edited": forge.ActionEdited,
	"label_updated": forge.ActionEdited, "label_cleared": forge.ActionEdited, "closed": forge.ActionClosed, "reopened": forge.ActionReopened,
}

func (p *payload) proposal(event string, e *forge.Event) {
	if p.Pull == nil {
		return
	}
	of := p.Pull.proposal()
	e.Kind, e.Time = forge.KindProposal, of.Updated
	e.Proposal = &forge.ProposalEvent{Action: cmp.Or(actions[p.Action], forge.ActionOther), Proposal: of}
	if e.Proposal.Action == forge.ActionClosed && of.State == forge.StateMerged {
		e.Proposal.Action = forge.ActionMerged
	}
	if p.Action != "reviewed" && event == "pull_request" {
		return
	}
	r := forge.Review{Author: e.Sender, Verdict: forge.Commented, Commit: of.Source.Commit, Created: of.Updated}
	kind := event
	if p.Review != nil {
		r.Body = p.Review.Content
		kind += " " + p.Review.Type
	}
	switch {
	case strings.Contains(kind, "approved"):
		r.Verdict = forge.Approved
	case strings.Contains(kind, "rejected"):
		r.Verdict = forge.Refused
	}
	e.Kind, e.Proposal.Action, e.Proposal.Review = forge.KindReview, forge.ActionOpened, &r
}

// signed gives who made a commit.
func (p person) signed(when stamp) forge.Signature {
	return forge.Signature{Name: cmp.Or(p.Named, p.Name), Email: p.Email, When: when.Time}
}
