package gitea

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
)

// stamp is a time that may be missing or of no known form.
type stamp struct{ time.Time }

// UnmarshalJSON takes what is no time for none.
func (s *stamp) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	s.Time = time.Time{}
	if v, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339, v); err == nil && t.Unix() > 0 {
			s.Time = t
		}
	}
	return nil
}

type person struct {
	ID       int64  `json:"id"`
	Login    string `json:"login"`
	Username string `json:"username"`
	Name     string `json:"full_name"`
	Named    string `json:"name"` // of a commit's author
	Email    string `json:"email"`
}

func (p *person) person() forge.Person {
	if p == nil {
		return forge.Person{}
	}
	out := forge.Person{Login: cmp.Or(p.Login, p.Username), Name: p.Name, Email: p.Email, Bot: p.ID < -1} // Gitea's own, such as that of Actions
	if p.ID != 0 {
		out.ID = text(p.ID)
	}
	return out
}

type repository struct {
	ID          int64    `json:"id"`
	FullName    string   `json:"full_name"`
	Description string   `json:"description"`
	Branch      string   `json:"default_branch"`
	Page        string   `json:"html_url"`
	CloneURL    string   `json:"clone_url"`
	Private     bool     `json:"private"`
	Archived    bool     `json:"archived"`
	Fork        bool     `json:"fork"`
	Empty       bool     `json:"empty"`
	Topics      []string `json:"topics"`
	Language    string   `json:"language"`
	Created     stamp    `json:"created_at"`
	Updated     stamp    `json:"updated_at"`
}

func (r *repository) repository() forge.Repository {
	if r == nil {
		return forge.Repository{}
	}
	return forge.Repository{
		ID: text(r.ID), Name: r.FullName, Description: r.Description, DefaultBranch: r.Branch, URL: r.Page, CloneURL: r.CloneURL,
		Private: r.Private, Archived: r.Archived, Fork: r.Fork, Empty: r.Empty, Topics: r.Topics, Language: r.Language,
		Created: r.Created.Time, Changed: r.Updated.Time,
	}
}

type side struct {
	Label string      `json:"label"`
	Ref   string      `json:"ref"`
	SHA   string      `json:"sha"`
	Repo  *repository `json:"repo"`
}

// side takes the branch from the label, since the reference is another one when the branch is gone.
func (s *side) side() forge.Side {
	if s == nil {
		return forge.Side{}
	}
	return forge.Side{Repository: s.Repo.repository().Name, Branch: cmp.Or(s.Label, s.Ref), Commit: s.SHA}
}

type label struct {
	Name string `json:"name"`
}

type pull struct {
	Number         int     `json:"number"`
	User           *person `json:"user"`
	Title          string  `json:"title"`
	Body           string  `json:"body"`
	Labels         []label `json:"labels"`
	State          string  `json:"state"`
	Draft          bool    `json:"draft"`
	Comments       int     `json:"comments"`
	ReviewComments int     `json:"review_comments"`
	Page           string  `json:"html_url"`
	Mergeable      bool    `json:"mergeable"`
	Merged         bool    `json:"merged"`
	MergedAt       stamp   `json:"merged_at"`
	MergeCommit    string  `json:"merge_commit_sha"`
	Base           *side   `json:"base"`
	Head           *side   `json:"head"`
	Created        stamp   `json:"created_at"`
	Updated        stamp   `json:"updated_at"`
	Closed         stamp   `json:"closed_at"`

	// Gogs has these instead of the sides.
	HeadBranch string      `json:"head_branch"`
	HeadRepo   *repository `json:"head_repo"`
	BaseBranch string      `json:"base_branch"`
	BaseRepo   *repository `json:"base_repo"`
}

// drafts are the beginnings of titles by which Gitea knows drafts. The first is written.
var drafts = []string{"WIP:", "[WIP]"}

// undrafted gives a title without what makes it a draft's.
func undrafted(title string) (string, bool) {
	for _, d := range drafts {
		if len(title) >= len(d) && strings.EqualFold(title[:len(d)], d) {
			return strings.TrimSpace(title[len(d):]), true
		}
	}
	return title, false
}

func (p *pull) proposal() forge.Proposal {
	title, draft := undrafted(p.Title)
	out := forge.Proposal{
		Number: p.Number, Title: title, Body: p.Body, Draft: draft || p.Draft, Author: p.User.person(), Source: p.Head.side(), Target: p.Base.side(),
		URL: p.Page, Created: p.Created.Time, Updated: p.Updated.Time, Closed: p.Closed.Time, CommentCount: p.Comments + p.ReviewComments,
	}
	if out.Number > 0 {
		out.Ref = "refs/pull/" + strconv.Itoa(out.Number) + "/head"
	}
	if p.Head == nil {
		out.Source = forge.Side{Repository: p.HeadRepo.repository().Name, Branch: p.HeadBranch}
	}
	if p.Base == nil {
		out.Target = forge.Side{Repository: p.BaseRepo.repository().Name, Branch: p.BaseBranch}
	}
	switch {
	case p.Merged:
		out.State, out.MergeCommit = forge.StateMerged, p.MergeCommit
		if out.Closed.IsZero() {
			out.Closed = p.MergedAt.Time
		}
	case p.State == "closed":
		out.State = forge.StateClosed
	default:
		out.State = forge.StateOpen
		switch {
		case out.Draft:
			out.Mergeable = forge.MergeBlocked
		case p.Mergeable:
			out.Mergeable = forge.MergeReady
		}
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.Name)
	}
	return out
}

type comment struct {
	ID      int64   `json:"id"`
	User    *person `json:"user"`
	Body    string  `json:"body"`
	Page    string  `json:"html_url"`
	Created stamp   `json:"created_at"`
	Updated stamp   `json:"updated_at"`

	// Of one on a line.
	Path     string  `json:"path"`
	Commit   string  `json:"commit_id"`
	Line     int     `json:"position"`
	OldLine  int     `json:"original_position"`
	Resolver *person `json:"resolver"`
}

func (c *comment) comment() forge.Comment {
	out := forge.Comment{
		ID: text(c.ID), Author: c.User.person(), Body: c.Body, URL: c.Page, Created: c.Created.Time, Updated: c.Updated.Time,
		Path: c.Path, Commit: c.Commit, Line: c.Line, Resolved: c.Resolver != nil,
	}
	if c.Line == 0 && c.OldLine > 0 {
		out.Line, out.Old = c.OldLine, true
	}
	return out
}

type review struct {
	ID        int64   `json:"id"`
	User      *person `json:"user"`
	State     string  `json:"state"`
	Body      string  `json:"body"`
	Commit    string  `json:"commit_id"`
	Dismissed bool    `json:"dismissed"`
	Comments  int     `json:"comments_count"`
	Submitted stamp   `json:"submitted_at"`
}

// verdicts are Gitea's words for those of a review; what else it lists was asked for or is not sent yet.
var verdicts = map[string]string{"APPROVED": forge.Approved, "REQUEST_CHANGES": forge.Refused, "COMMENT": forge.Commented}

func (r *review) review() (forge.Review, bool) {
	verdict, ok := verdicts[r.State]
	if r.Dismissed {
		verdict = forge.Dismissed
	}
	return forge.Review{ID: text(r.ID), Author: r.User.person(), Verdict: verdict, Body: r.Body, Commit: r.Commit, Created: r.Submitted.Time}, ok
}

type commit struct {
	SHA    string `json:"sha"`
	Page   string `json:"html_url"`
	Commit struct {
		Message   string    `json:"message"`
		Author    signature `json:"author"`
		Committer signature `json:"committer"`
	} `json:"commit"`
	Author  *person `json:"author"`
	Parents []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
	Files []struct {
		Name   string `json:"filename"`
		Status string `json:"status"`
	} `json:"files"`
}

type signature struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Date  stamp  `json:"date"`
}

func (s signature) signature() forge.Signature {
	return forge.Signature{Name: s.Name, Email: s.Email, When: s.Date.Time}
}

func (c *commit) commit() forge.Commit {
	out := forge.Commit{
		Hash: c.SHA, Message: c.Commit.Message, Author: c.Commit.Author.signature(), Committer: c.Commit.Committer.signature(),
		AuthorLogin: c.Author.person().Login, URL: c.Page,
	}
	for _, p := range c.Parents {
		out.Parents = append(out.Parents, p.SHA)
	}
	return out
}

// all leaves nothing out of a list.
func all[W, T any](as func(*W) T) func(W) (T, bool) {
	return func(w W) (T, bool) { return as(&w), true }
}
