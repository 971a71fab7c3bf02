package gitlab

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// States of a merge request, in GitLab's words. One that is being merged is "locked".
const (
	opened = "opened"
	closed = "closed"
	merged = "merged"
)

// draft is what makes a title that of a draft.
var draft = regexp.MustCompile(`(?i)^(\[draft\]|\(draft\)|draft:|\[wip\]|wip:)\s*`)

func state(s string) string {
	switch s {
	case closed:
		return forge.StateClosed
	case merged:
		return forge.StateMerged
	}
	return forge.StateOpen
}

// proposal gives a merge request without its source's repository.
func proposal(repository string, m *gl.BasicMergeRequest) forge.Proposal {
	p := forge.Proposal{
		Number: int(m.IID), Title: m.Title, Body: m.Description, State: state(m.State), Draft: m.Draft, Author: basic(m.Author),
		Source: forge.Side{Branch: m.SourceBranch, Commit: m.SHA}, Target: forge.Side{Repository: repository, Branch: m.TargetBranch},
		Labels: m.Labels, URL: m.WebURL, Created: when(m.CreatedAt), Updated: when(m.UpdatedAt), CommentCount: int(m.UserNotesCount),
	}
	p.Ref = "refs/merge-requests/" + strconv.Itoa(p.Number) + "/head"
	if m.Draft {
		p.Title = draft.ReplaceAllString(m.Title, "")
	}
	switch p.State {
	case forge.StateOpen:
		p.Mergeable = mergeable(m.DetailedMergeStatus, m.HasConflicts)
	case forge.StateMerged:
		p.Closed, p.MergeCommit = when(m.MergedAt), mergeCommit(m)
	case forge.StateClosed:
		p.Closed = when(m.ClosedAt)
	}
	return p
}

// mergeCommit gives what a merge made: after a fast-forward that is the head.
func mergeCommit(m *gl.BasicMergeRequest) string {
	for _, c := range []string{m.MergeCommitSHA, m.SquashCommitSHA, m.SHA} {
		if c != "" {
			return c
		}
	}
	return ""
}

// mergeable reads GitLab's reason why a merge request can't be merged; any reason that is not known blocks it.
func mergeable(status string, conflicts bool) forge.Mergeable {
	switch status {
	case "mergeable":
		return forge.MergeReady
	case "", "unchecked", "checking", "preparing", "approvals_syncing":
		return forge.MergeUnknown
	case "conflict":
		return forge.MergeConflicts
	}
	if conflicts {
		return forge.MergeConflicts
	}
	return forge.MergeBlocked
}

// source finds the name of the repository that a merge request comes from.
func (f *Forge) source(ctx context.Context, repository string, m *gl.BasicMergeRequest) (string, error) {
	switch m.SourceProjectID {
	case m.TargetProjectID:
		return repository, nil
	case 0:
		return "", nil
	}
	p, err := one(f.api.Projects.GetProject(m.SourceProjectID, nil, gl.WithContext(ctx)))
	switch {
	case err == nil:
		return p.PathWithNamespace, nil
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Denied):
		return "", nil
	}
	return "", err
}

func (f *Forge) full(ctx context.Context, repository string, m *gl.MergeRequest) (forge.Proposal, error) {
	p := proposal(repository, &m.BasicMergeRequest)
	p.Target.Commit = m.DiffRefs.StartSha
	var err error
	p.Source.Repository, err = f.source(ctx, repository, &m.BasicMergeRequest)
	return p, err
}

// OpenProposal opens a merge request. One that comes from a fork is made there: OWNER's project of the same name.
func (f *Forge) OpenProposal(ctx context.Context, repository string, n forge.NewProposal) (forge.Proposal, error) {
	if err := checkBranch(repository, n.Target); err != nil {
		return forge.Proposal{}, err
	}
	if strings.TrimSpace(n.Title) == "" {
		return forge.Proposal{}, fault.Errorf(fault.Invalid, "a merge request needs a title")
	}
	from, o := repository, gl.CreateMergeRequestOptions{Title: &n.Title, Description: &n.Body, TargetBranch: &n.Target}
	if n.Draft {
		o.Title = gl.Ptr("Draft: " + n.Title)
	}
	owner, branch, fork := strings.Cut(n.Source, ":")
	if fork {
		target, err := f.project(ctx, repository)
		if err != nil {
			return forge.Proposal{}, err
		}
		from, o.TargetProjectID = owner+"/"+path.Base(repository), &target.ID
	} else {
		branch = n.Source
	}
	if err := checkBranch(from, branch); err != nil {
		return forge.Proposal{}, err
	}
	o.SourceBranch = &branch
	m, err := one(f.api.MergeRequests.CreateMergeRequest(from, &o, gl.WithContext(ctx)))
	if err != nil {
		return forge.Proposal{}, err
	}
	return f.full(ctx, repository, m)
}

// ListProposals gives merge requests, the newest first.
func (f *Forge) ListProposals(ctx context.Context, repository string, q forge.ProposalQuery, part page.Request) (page.Of[forge.Proposal], error) {
	if err := checkRepository(repository); err != nil {
		return page.Of[forge.Proposal]{}, err
	}
	o := gl.ListProjectMergeRequestsOptions{
		OrderBy: gl.Ptr("created_at"), Sort: gl.Ptr("desc"), State: gl.Ptr("all"), Scope: gl.Ptr("all"),
		SourceBranch: optional(q.Source), TargetBranch: optional(q.Target),
	}
	switch q.State {
	case "", forge.StateClosed: // GitLab has no word for both closed and merged
	case forge.StateOpen:
		o.State = gl.Ptr(opened)
	default:
		return page.Of[forge.Proposal]{}, fault.Errorf(fault.Invalid, "%q is not a state to ask for; write %s or %s", q.State, forge.StateOpen, forge.StateClosed)
	}
	found, err := list(part, func(lo gl.ListOptions) ([]*gl.BasicMergeRequest, *gl.Response, error) {
		o.ListOptions = lo
		return f.api.MergeRequests.ListProjectMergeRequests(repository, &o, gl.WithContext(ctx))
	}, func(m *gl.BasicMergeRequest) (*gl.BasicMergeRequest, bool) {
		return m, (q.State != forge.StateClosed || state(m.State) != forge.StateOpen) && (q.Source == "" || m.SourceProjectID == m.TargetProjectID)
	})
	if err != nil {
		return page.Of[forge.Proposal]{}, err
	}
	out := page.Of[forge.Proposal]{Next: found.Next}
	for _, m := range found.Items {
		p := proposal(repository, m)
		if p.Source.Repository, err = f.source(ctx, repository, m); err != nil {
			return page.Of[forge.Proposal]{}, err
		}
		out.Items = append(out.Items, p)
	}
	return out, nil
}

// request reads one merge request, as it is for whoever asks for it.
func (f *Forge) request(ctx context.Context, repository string, number int, o *gl.GetMergeRequestsOptions) (*gl.MergeRequest, error) {
	if err := checkRepository(repository); err != nil {
		return nil, err
	}
	return one(f.api.MergeRequests.GetMergeRequest(repository, int64(number), o, gl.WithContext(ctx)))
}

// GetProposal gives one merge request.
func (f *Forge) GetProposal(ctx context.Context, repository string, number int) (forge.Proposal, error) {
	m, err := f.request(ctx, repository, number, nil)
	if err != nil {
		return forge.Proposal{}, err
	}
	return f.full(ctx, repository, m)
}

// DiffProposal gives what git diff gives. GitLab leaves out what is over its own limits; that is refused.
func (f *Forge) DiffProposal(ctx context.Context, repository string, number int, limit int64) ([]byte, error) {
	m, err := f.request(ctx, repository, number, nil)
	if err != nil {
		return nil, err
	}
	diff, err := one(f.api.MergeRequests.ShowMergeRequestRawDiffs(repository, int64(number), nil, gl.WithContext(ctx)))
	if err != nil {
		return nil, err
	}
	if int64(len(diff)) > limit {
		return nil, fault.Errorf(fault.TooLarge, "the diff of !%d has %d bytes; the limit is %d", number, len(diff), limit)
	}
	files := bytes.Count(append([]byte("\n"), diff...), []byte("\ndiff --git "))
	if all, err := strconv.Atoi(m.ChangesCount); err == nil && files < all || strings.HasSuffix(m.ChangesCount, "+") {
		return nil, fault.Errorf(fault.TooLarge, "!%d changes %s files, of which GitLab gives %d", number, m.ChangesCount, files)
	}
	return diff, nil
}

// CloseProposal closes a merge request, or opens it again. What is so already stays so.
func (f *Forge) CloseProposal(ctx context.Context, repository string, number int, close bool) error {
	m, err := f.request(ctx, repository, number, nil)
	if err != nil {
		return err
	}
	event, want := "reopen", forge.StateOpen
	if close {
		event, want = "close", forge.StateClosed
	}
	switch state(m.State) {
	case want:
		return nil
	case forge.StateMerged:
		return fault.Errorf(fault.Conflict, "!%d is merged", number)
	}
	_, err = one(f.api.MergeRequests.UpdateMergeRequest(repository, int64(number), &gl.UpdateMergeRequestOptions{StateEvent: &event}, gl.WithContext(ctx)))
	return err
}

// version finds the commits between which a merge request was when its head was a commit; its newest for "".
func (f *Forge) version(ctx context.Context, repository string, number int, head string) (*gl.MergeRequestDiffVersion, error) {
	versions, _, err := whole(1000, func(o gl.ListOptions) ([]*gl.MergeRequestDiffVersion, *gl.Response, error) {
		return f.api.MergeRequests.GetMergeRequestDiffVersions(repository, int64(number), &gl.GetMergeRequestDiffVersionsOptions{ListOptions: o}, gl.WithContext(ctx))
	})
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(versions, func(v *gl.MergeRequestDiffVersion) bool { return head == "" || v.HeadCommitSHA == head })
	if at < 0 {
		return nil, fault.Errorf(fault.Stale, "%.100q was never the head of !%d", head, number)
	}
	return one(f.api.MergeRequests.GetSingleMergeRequestDiffVersion(repository, int64(number), versions[at].ID, nil, gl.WithContext(ctx)))
}
