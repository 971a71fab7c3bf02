package gitlab

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// stamp is a time in one of the forms that deliveries have; zero for any other.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	words, _ := v.(string)
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", time.DateOnly} {
		if t, err := time.Parse(form, words); err == nil {
			s.Time = t
			return nil
		}
	}
	return nil
}

type sentProject struct {
	ID         int64  `json:"id"`
	Path       string `json:"path_with_namespace"`
	Text       string `json:"description"`
	Page       string `json:"web_url"`
	Home       string `json:"homepage"`
	Clone      string `json:"git_http_url"`
	Branch     string `json:"default_branch"`
	Visibility *int   `json:"visibility_level"`
}

const public = 20 // visibility_level of a public project

func (p sentProject) repository(id int64) forge.Repository {
	page := cmp.Or(p.Page, p.Home)
	r := forge.Repository{
		Name: p.Path, Description: p.Text, DefaultBranch: p.Branch, URL: page, CloneURL: p.Clone,
		Private: p.Visibility == nil || *p.Visibility != public,
	}
	if u, err := url.Parse(page); r.Name == "" && err == nil {
		r.Name = strings.Trim(u.Path, "/")
	}
	if id = cmp.Or(p.ID, id); id != 0 {
		r.ID = strconv.FormatInt(id, 10)
	}
	return r
}

type sentUser struct {
	ID    int64  `json:"id"`
	Login string `json:"username"`
	Name  string `json:"name"`
}

func (u sentUser) person() forge.Person { return person(u.ID, u.Login, u.Name) }

type sentCommit struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	Time    stamp  `json:"timestamp"`
	URL     string `json:"url"`
	Author  struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"author"`
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

func (c sentCommit) commit() forge.Commit {
	return forge.Commit{Hash: c.ID, Message: c.Message, URL: c.URL, Author: forge.Signature{Name: c.Author.Name, Email: c.Author.Email, When: c.Time.Time}}
}

// envelope is what deliveries have in common.
type envelope struct {
	Kind      string      `json:"object_kind"`
	Name      string      `json:"event_name"`
	Project   sentProject `json:"project"`
	ProjectID int64       `json:"project_id"`
	User      sentUser    `json:"user"`
}

// Parse reads a delivery of a project's, a group's or a system's webhook. Which it is stands in the body; headers may
// be missing.
func (hooks Hooks) Parse(h http.Header, body []byte) (forge.Event, error) {
	var in envelope
	if err := read(body, &in); err != nil {
		return forge.Event{}, err
	}
	kind := cmp.Or(in.Kind, in.Name)
	e := forge.Event{
		Delivery: hooks.Delivery(h), Kind: forge.KindOther, Name: cmp.Or(kind, h.Get(headerEvent)),
		Repository: in.Project.repository(in.ProjectID), Sender: in.User.person(),
	}
	var err error
	switch kind {
	case "push", "tag_push":
		err = push(body, &e)
	case "merge_request":
		err = mergeRequest(body, &e)
	case "note":
		err = note(body, &e)
	case "pipeline":
		err = pipeline(body, &e)
	case "build":
		err = job(body, &e)
	case "project_create", "project_destroy", "project_rename", "project_transfer", "project_update":
		err = change(body, &e)
	}
	if err != nil {
		return forge.Event{}, err
	}
	return e, nil
}

func read(body []byte, to any) error {
	if err := json.Unmarshal(body, to); err != nil {
		return fault.Errorf(fault.Invalid, "the delivery is not one of GitLab's: %w", err)
	}
	return nil
}

func lacks(what string) error {
	return fault.Errorf(fault.Invalid, "the delivery is not one of GitLab's: it has no %s", what)
}

// hash gives "" for the hash of nothing.
func hash(s string) string {
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}

func push(body []byte, e *forge.Event) error {
	var in struct {
		Ref     string       `json:"ref"`
		Before  string       `json:"before"`
		After   string       `json:"after"`
		UserID  int64        `json:"user_id"`
		Login   string       `json:"user_username"`
		User    string       `json:"user_name"`
		Commits []sentCommit `json:"commits"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	if !strings.HasPrefix(in.Ref, "refs/") {
		return lacks("ref")
	}
	e.Kind, e.Sender = forge.KindPush, person(in.UserID, in.Login, in.User)
	p := &forge.Push{Ref: in.Ref, Old: hash(in.Before), New: hash(in.After)}
	for _, c := range in.Commits {
		p.Commits = append(p.Commits, c.commit())
		p.Paths = slices.Concat(p.Paths, c.Added, c.Modified, c.Removed)
	}
	slices.Sort(p.Paths)
	p.Paths = slices.Compact(p.Paths)
	e.Push = p
	return nil
}

// sentRequest is a merge request as deliveries have it.
type sentRequest struct {
	Number       int         `json:"iid"`
	Title        string      `json:"title"`
	Text         string      `json:"description"`
	State        string      `json:"state"`
	Action       string      `json:"action"`
	OldHead      string      `json:"oldrev"`
	Draft        bool        `json:"draft"`
	WIP          bool        `json:"work_in_progress"`
	AuthorID     int64       `json:"author_id"`
	From         string      `json:"source_branch"`
	To           string      `json:"target_branch"`
	Source       sentProject `json:"source"`
	Target       sentProject `json:"target"`
	Last         sentCommit  `json:"last_commit"`
	MergeCommit  string      `json:"merge_commit_sha"`
	SquashCommit string      `json:"squash_commit_sha"`
	Status       string      `json:"detailed_merge_status"`
	URL          string      `json:"url"`
	Created      stamp       `json:"created_at"`
	Updated      stamp       `json:"updated_at"`
}

// proposal gives a merge request. Deliveries name its author by number only, so the sender's login is theirs if it is they.
func (m sentRequest) proposal(e *forge.Event) (forge.Proposal, error) {
	if m.Number < 1 {
		return forge.Proposal{}, lacks("number of a merge request")
	}
	p := forge.Proposal{
		Number: m.Number, Title: m.Title, Body: m.Text, State: state(m.State), Draft: m.Draft || m.WIP, Author: person(m.AuthorID, "", ""),
		Source: forge.Side{Repository: m.Source.repository(0).Name, Branch: m.From, Commit: m.Last.ID},
		Target: forge.Side{Repository: cmp.Or(m.Target.repository(0).Name, e.Repository.Name), Branch: m.To},
		URL:    m.URL, Created: m.Created.Time, Updated: m.Updated.Time, CommentCount: -1,
	}
	if p.Author.ID == e.Sender.ID || e.Sender.ID == "" && m.Action == "open" {
		p.Author = e.Sender
		p.Author.ID = cmp.Or(e.Sender.ID, person(m.AuthorID, "", "").ID)
	}
	if p.Draft {
		p.Title = draft.ReplaceAllString(m.Title, "")
	}
	switch p.State {
	case forge.StateOpen:
		p.Mergeable = mergeable(m.Status, false)
	case forge.StateMerged:
		p.Closed, p.MergeCommit = p.Updated, cmp.Or(m.MergeCommit, m.SquashCommit, m.Last.ID)
	default:
		p.Closed = p.Updated
	}
	return p, nil
}

func mergeRequest(body []byte, e *forge.Event) error {
	var in struct {
		Is     sentRequest `json:"object_attributes"`
		Labels []struct {
			Title string `json:"title"`
		} `json:"labels"`
		Changes map[string]any `json:"changes"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	p, err := in.Is.proposal(e)
	if err != nil {
		return err
	}
	for _, l := range in.Labels {
		p.Labels = append(p.Labels, l.Title)
	}
	e.Name, e.Time = strings.TrimSpace(e.Name+" "+in.Is.Action), in.Is.Updated.Time
	e.Kind, e.Proposal = forge.KindProposal, &forge.ProposalEvent{Action: forge.ActionOther, Proposal: p}
	switch in.Is.Action {
	case "open":
		e.Proposal.Action = forge.ActionOpened
	case "close":
		e.Proposal.Action = forge.ActionClosed
	case "reopen":
		e.Proposal.Action = forge.ActionReopened
	case "merge":
		e.Proposal.Action = forge.ActionMerged
	case "update":
		switch {
		case in.Is.OldHead != "":
			e.Proposal.Action = forge.ActionPushed
		case edits(in.Changes):
			e.Proposal.Action = forge.ActionEdited
		}
	case "approved", "approval":
		review(e, forge.Approved, forge.ActionOpened)
	case "unapproved", "unapproval":
		review(e, forge.Dismissed, forge.ActionRemoved)
	}
	return nil
}

// review makes an event of a merge request one of a verdict, which the sender gave.
func review(e *forge.Event, verdict, action string) {
	e.Kind, e.Proposal.Action = forge.KindReview, action
	e.Proposal.Review = &forge.Review{ID: approvalID(e.Sender), Author: e.Sender, Verdict: verdict, Commit: e.Proposal.Proposal.Source.Commit, Created: e.Time}
}

func edits(changes map[string]any) bool {
	return slices.ContainsFunc([]string{"title", "description", "target_branch", "labels", "draft"}, func(field string) bool {
		_, ok := changes[field]
		return ok
	})
}

func note(body []byte, e *forge.Event) error {
	var in struct {
		Is struct {
			ID       int64  `json:"id"`
			Text     string `json:"note"`
			Of       string `json:"noteable_type"`
			Action   string `json:"action"`
			System   bool   `json:"system"`
			URL      string `json:"url"`
			Created  stamp  `json:"created_at"`
			Updated  stamp  `json:"updated_at"`
			Position *struct {
				Head    string `json:"head_sha"`
				OldPath string `json:"old_path"`
				NewPath string `json:"new_path"`
				OldLine int    `json:"old_line"`
				NewLine int    `json:"new_line"`
			} `json:"position"`
		} `json:"object_attributes"`
		Request *sentRequest `json:"merge_request"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	e.Name, e.Time = strings.TrimSpace(e.Name+" "+in.Is.Action), in.Is.Updated.Time
	if in.Is.Of != "MergeRequest" || in.Request == nil || in.Is.System {
		return nil
	}
	p, err := in.Request.proposal(e)
	if err != nil {
		return err
	}
	c := &forge.Comment{
		ID: strconv.FormatInt(in.Is.ID, 10), Author: e.Sender, Body: in.Is.Text, URL: in.Is.URL,
		Created: in.Is.Created.Time, Updated: in.Is.Updated.Time,
	}
	if at := in.Is.Position; at != nil {
		c.Path, c.Line, c.Commit = at.NewPath, at.NewLine, at.Head
		if at.NewLine == 0 && at.OldLine > 0 {
			c.Path, c.Line, c.Old = at.OldPath, at.OldLine, true
		}
	}
	action := forge.ActionOpened
	if in.Is.Action == "update" { // older GitLabs tell of new comments alone, and don't say so
		action = forge.ActionEdited
	}
	e.Kind, e.Proposal = forge.KindComment, &forge.ProposalEvent{Action: action, Proposal: p, Comment: c}
	return nil
}

// wholePipeline is the name of the check that a whole pipeline is. Its jobs have their own.
const wholePipeline = "pipeline"

func pipeline(body []byte, e *forge.Event) error {
	var in struct {
		Is struct {
			Commit  string `json:"sha"`
			Status  string `json:"status"`
			URL     string `json:"url"`
			Created stamp  `json:"created_at"`
			Ended   stamp  `json:"finished_at"`
		} `json:"object_attributes"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	if in.Is.Commit == "" {
		return lacks("commit")
	}
	e.Time = in.Is.Created.Time
	if !in.Is.Ended.IsZero() {
		e.Time = in.Is.Ended.Time
	}
	e.Kind = forge.KindCheck
	e.Check = &forge.CheckEvent{Commit: in.Is.Commit, Check: forge.Check{Name: wholePipeline, State: checkState(in.Is.Status), URL: in.Is.URL, Updated: e.Time}}
	return nil
}

func job(body []byte, e *forge.Event) error {
	var in struct {
		Commit     string      `json:"sha"`
		Name       string      `json:"build_name"`
		Status     string      `json:"build_status"`
		Ended      stamp       `json:"build_finished_at"`
		Repository sentProject `json:"repository"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	if in.Commit == "" || in.Name == "" {
		return lacks("job of a commit")
	}
	if e.Repository.Name == "" {
		id := e.Repository.ID
		e.Repository = in.Repository.repository(0)
		e.Repository.ID = id
	}
	e.Kind, e.Time = forge.KindCheck, in.Ended.Time
	e.Check = &forge.CheckEvent{Commit: in.Commit, Check: forge.Check{Name: in.Name, State: checkState(in.Status), Updated: in.Ended.Time}}
	return nil
}

func change(body []byte, e *forge.Event) error {
	var in struct {
		Path       string `json:"path_with_namespace"`
		OldPath    string `json:"old_path_with_namespace"`
		Visibility string `json:"project_visibility"`
		Created    stamp  `json:"created_at"`
		Updated    stamp  `json:"updated_at"`
	}
	if err := read(body, &in); err != nil {
		return err
	}
	if in.Path == "" {
		return lacks("path of a project")
	}
	e.Kind, e.Time = forge.KindRepository, in.Updated.Time
	e.Repository.Name, e.Repository.Created, e.Repository.Private = in.Path, in.Created.Time, !strings.HasSuffix(in.Visibility, "public")
	e.Change = &forge.RepositoryEvent{OldName: in.OldPath, Action: map[string]string{
		"project_create": forge.RepositoryCreated, "project_destroy": forge.RepositoryDeleted, "project_rename": forge.RepositoryRenamed,
		"project_transfer": forge.RepositoryTransferred, "project_update": forge.RepositoryEdited,
	}[e.Name]}
	return nil
}
