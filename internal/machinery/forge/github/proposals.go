package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// OpenProposal opens a pull request.
func (g *GitHub) OpenProposal(ctx context.Context, repository string, p forge.NewProposal) (forge.Proposal, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return forge.Proposal{}, err
	}
	if strings.TrimSpace(p.Title) == "" {
		return forge.Proposal{}, fault.Errorf(fault.Invalid, "a pull request has a title")
	}
	made, _, err := g.api.PullRequests.Create(ctx, owner, repo, &gh.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Source, Base: &p.Target, Draft: &p.Draft})
	if err != nil {
		return forge.Proposal{}, taken(told(err))
	}
	return proposalOf(made), nil
}

func proposalOf(p *gh.PullRequest) forge.Proposal {
	out := forge.Proposal{
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), State: stateOf(p.GetState(), p.GetMerged() || p.MergedAt != nil),
		Draft: p.GetDraft(), Author: personOf(p.User), Source: sideOf(p.Head), Target: sideOf(p.Base), URL: p.GetHTMLURL(),
		Created: p.GetCreatedAt().Time, Updated: p.GetUpdatedAt().Time, Closed: p.GetClosedAt().Time, CommentCount: -1,
	}
	if out.Number > 0 {
		out.Ref = fmt.Sprintf("refs/pull/%d/head", out.Number)
	}
	if p.Comments != nil && p.ReviewComments != nil { // not of one in a list
		out.CommentCount = *p.Comments + *p.ReviewComments
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	switch out.State {
	case forge.StateMerged:
		out.MergeCommit = p.GetMergeCommitSHA()
	case forge.StateOpen:
		out.Mergeable = mergeable(p)
	}
	return out
}

func stateOf(state string, merged bool) string {
	switch {
	case merged:
		return forge.StateMerged
	case state == "open":
		return forge.StateOpen
	}
	return forge.StateClosed
}

func sideOf(b *gh.PullRequestBranch) forge.Side {
	return forge.Side{Repository: b.GetRepo().GetFullName(), Branch: b.GetRef(), Commit: b.GetSHA()}
}

func mergeable(p *gh.PullRequest) forge.Mergeable {
	switch p.GetMergeableState() {
	case "clean", "unstable", "has_hooks":
		return forge.MergeReady
	case "dirty":
		return forge.MergeConflicts
	case "blocked", "behind", "draft":
		return forge.MergeBlocked
	}
	if p.Mergeable != nil && !*p.Mergeable {
		return forge.MergeConflicts
	}
	return forge.MergeUnknown
}

// ListProposals gives pull requests.
func (g *GitHub) ListProposals(ctx context.Context, repository string, q forge.ProposalQuery, part page.Request) (page.Of[forge.Proposal], error) {
	owner, repo, err := split(repository)
	if err != nil {
		return page.Of[forge.Proposal]{}, err
	}
	o := gh.PullRequestListOptions{State: "all", Base: q.Target, Sort: "created", Direction: "desc"}
	switch q.State {
	case forge.StateOpen, forge.StateClosed:
		o.State = q.State
	case "":
	default:
		return page.Of[forge.Proposal]{}, fault.Errorf(fault.Invalid, "%.40q is not a state to list pull requests by; write open or closed", q.State)
	}
	if q.Source != "" {
		o.Head = owner + ":" + q.Source
	}
	return list(part, func(lo gh.ListOptions) ([]*gh.PullRequest, *gh.Response, error) {
		o := o
		o.ListOptions = lo
		return g.api.PullRequests.List(ctx, owner, repo, &o)
	}, proposalOf)
}

// GetProposal gives a pull request.
func (g *GitHub) GetProposal(ctx context.Context, repository string, number int) (forge.Proposal, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return forge.Proposal{}, err
	}
	p, _, err := g.api.PullRequests.Get(ctx, owner, repo, number)
	if err != nil {
		return forge.Proposal{}, told(err)
	}
	return proposalOf(p), nil
}

// DiffProposal gives a diff of at most 20,000 lines, more than which GitHub does not give.
func (g *GitHub) DiffProposal(ctx context.Context, repository string, number int, limit int64) ([]byte, error) {
	if _, _, err := split(repository); err != nil {
		return nil, err
	}
	text, err := g.text(ctx, fmt.Sprintf("repos/%s/pulls/%d", repository, number), asDiff)
	if err != nil {
		return nil, as(err, fault.TooLarge, http.StatusNotAcceptable)
	}
	if int64(len(text)) > limit {
		return nil, fault.Errorf(fault.TooLarge, "the diff of %s#%d has %d bytes, more than the %d that are taken", repository, number, len(text), limit)
	}
	return text, nil
}

// CloseProposal closes or opens again.
func (g *GitHub) CloseProposal(ctx context.Context, repository string, number int, closed bool) error {
	owner, repo, err := split(repository)
	if err != nil {
		return err
	}
	state := "open"
	if closed {
		state = "closed"
	}
	_, _, err = g.api.PullRequests.Edit(ctx, owner, repo, number, &gh.PullRequest{State: &state})
	return told(err)
}

// MergeProposal merges; the source is deleted afterwards where it is a branch of the same repository.
func (g *GitHub) MergeProposal(ctx context.Context, repository string, number int, m forge.Merge) (forge.Merged, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return forge.Merged{}, err
	}
	switch m.Way {
	case forge.MergeCommit, forge.MergeSquash, forge.MergeRebase: // in GitHub's words too
	default:
		return forge.Merged{}, fault.Errorf(fault.Invalid, "%.40q is not a way to merge; write merge, squash or rebase", m.Way)
	}
	o := &gh.PullRequestOptions{CommitTitle: m.Title, SHA: m.Head, MergeMethod: m.Way}
	got, _, err := g.api.PullRequests.Merge(ctx, owner, repo, number, m.Body, o)
	if err != nil {
		return forge.Merged{}, as(told(err), fault.Stale, http.StatusConflict)
	}
	out := forge.Merged{Commit: got.GetSHA()}
	if !m.DeleteSource {
		return out, nil
	}
	p, err := g.GetProposal(ctx, repository, number)
	if err == nil && strings.EqualFold(p.Source.Repository, p.Target.Repository) && git.CheckBranch(p.Source.Branch) == nil {
		err = g.DeleteBranch(ctx, repository, p.Source.Branch)
	}
	if err != nil && !fault.Is(err, fault.NotFound) { // GitHub may have deleted it by itself
		return out, fault.Wrap(err, "%s#%d is merged, but its branch is still there", repository, number)
	}
	return out, nil
}
