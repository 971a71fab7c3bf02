package server

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (f hosted) proposal(ctx context.Context, d proposal.Detail) (forge.Proposal, error) {
	who, err := f.people(ctx, d.Author)
	name, _, ok := strings.Cut(d.Full, "#")
	if !ok {
		return forge.Proposal{}, fault.Errorf(fault.Internal, "a proposal is called %q", d.Full)
	}
	p := forge.Proposal{
		Number: d.Number, Title: d.Title, Body: d.Body, State: d.State, Draft: d.Draft, Author: who(d.Author), MergeCommit: d.Merge,
		Source: forge.Side{Repository: name, Branch: d.Source, Commit: d.Head}, Target: forge.Side{Repository: name, Branch: d.Target, Commit: d.Base},
		Ref: fmt.Sprintf("%s%d/head", git.ProposalPrefix, d.Number),
		URL: fmt.Sprintf("%s/repositories/%s/proposals/%d", f.url, name, d.Number), Created: d.Created, Updated: d.Updated, Closed: d.Ended, CommentCount: -1,
	}
	switch {
	case d.State != proposal.Open:
	case len(d.Blockers) == 0:
		p.Mergeable = forge.MergeReady
	case slices.ContainsFunc(d.Blockers, func(b proposal.Blocker) bool { return b.Kind == proposal.BlockedConflicts }):
		p.Mergeable = forge.MergeConflicts
	default:
		p.Mergeable = forge.MergeBlocked
	}
	return p, err
}

func (f hosted) OpenProposal(ctx context.Context, name string, n forge.NewProposal) (forge.Proposal, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Proposal{}, err
	}
	if n.Title == "" { // which the platform would take from the newest commit
		return forge.Proposal{}, fault.Errorf(fault.Invalid, "a proposal needs a title")
	}
	d, err := f.house.Proposals.Open(ctx, proposal.NewProposal{Repository: name, Title: n.Title, Body: n.Body, Source: n.Source, Target: n.Target, Draft: n.Draft})
	if err != nil {
		return forge.Proposal{}, err
	}
	return f.proposal(ctx, d)
}

func (f hosted) ListProposals(ctx context.Context, name string, q forge.ProposalQuery, part page.Request) (out page.Of[forge.Proposal], err error) {
	if ctx, err = f.in(ctx); err != nil {
		return out, err
	}
	var found []proposal.Detail
	for ask := (page.Request{Cursor: part.Cursor}); ; {
		got, err := f.house.Proposals.List(ctx, proposal.Query{Repository: name, Source: q.Source, Target: q.Target}, ask)
		if err != nil {
			return out, err
		}
		for _, d := range got.Items {
			if q.State == "" || (q.State == forge.StateOpen) == (d.State == proposal.Open) {
				found = append(found, proposal.Detail{Proposal: d.Proposal, Full: d.Full})
			}
		}
		if ask.Cursor = got.Next; got.Next == "" || len(found) > part.Size() {
			break
		}
	}
	cut := page.Cut(found[:min(len(found), part.Window())], part, func(d proposal.Detail) string { return d.ID })
	out.Next = cut.Next
	for _, d := range cut.Items {
		p, err := f.proposal(ctx, d)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, p)
	}
	return out, nil
}

func (f hosted) GetProposal(ctx context.Context, name string, number int) (forge.Proposal, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Proposal{}, err
	}
	d, err := f.house.Proposals.Get(ctx, name, number)
	if err != nil {
		return forge.Proposal{}, err
	}
	return f.proposal(ctx, d)
}

func (f hosted) DiffProposal(ctx context.Context, name string, number int, limit int64) ([]byte, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return nil, err
	}
	_, _, d, err := f.house.Proposals.Diff(ctx, name, number, proposal.DiffQuery{Bytes: limit})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, file := range d.Files {
		fmt.Fprintf(&out, "diff --git a/%s b/%s\n--- a/%[1]s\n+++ b/%[2]s\n%[3]s", file.OldPath, file.Path, file.Patch)
	}
	if d.Truncated || int64(out.Len()) > limit {
		return nil, fault.Errorf(fault.TooLarge, "the diff has more than %d bytes", limit)
	}
	return out.Bytes(), nil
}

func (f hosted) CloseProposal(ctx context.Context, name string, number int, closed bool) error {
	ctx, err := f.in(ctx)
	if err == nil {
		_, err = f.house.Proposals.Close(ctx, name, number, !closed)
	}
	return err
}

func (f hosted) MergeProposal(ctx context.Context, name string, number int, m forge.Merge) (forge.Merged, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Merged{}, err
	}
	d, err := f.house.Proposals.Merge(ctx, name, number, proposal.MergeRequest{Way: m.Way, Title: m.Title, Body: m.Body, Head: m.Head, DeleteSource: m.DeleteSource})
	return forge.Merged{Commit: d.Merge}, err
}

func (f hosted) comments(ctx context.Context, all ...proposal.Comment) ([]forge.Comment, error) {
	ids := make([]string, len(all))
	for i, c := range all {
		ids[i] = c.Author
	}
	who, err := f.people(ctx, ids...)
	out := make([]forge.Comment, len(all))
	for i, c := range all {
		out[i] = forge.Comment{
			ID: c.ID, Author: who(c.Author), Body: c.Body, Path: c.Path, Line: c.Line, Old: c.Old, Commit: c.Commit, ReplyTo: c.ReplyTo, Resolved: c.Resolved != "",
			Created: c.Created, Updated: c.Updated,
		}
	}
	return out, err
}

func (f hosted) ListComments(ctx context.Context, name string, number int, part page.Request) (out page.Of[forge.Comment], err error) {
	if ctx, err = f.in(ctx); err != nil {
		return out, err
	}
	got, err := f.house.Proposals.Comments(ctx, name, number, part)
	if err != nil {
		return out, err
	}
	out.Next = got.Next
	out.Items, err = f.comments(ctx, got.Items...)
	return out, err
}

func (f hosted) Comment(ctx context.Context, name string, number int, body string) (forge.Comment, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Comment{}, err
	}
	c, err := f.house.Proposals.Comment(ctx, name, number, proposal.NewComment{Body: body})
	if err != nil {
		return forge.Comment{}, err
	}
	out, err := f.comments(ctx, c)
	return out[0], err
}

func (f hosted) EditComment(ctx context.Context, name string, number int, id, body string) (forge.Comment, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Comment{}, err
	}
	c, err := f.house.Proposals.EditComment(ctx, name, number, id, body)
	if err != nil {
		return forge.Comment{}, err
	}
	out, err := f.comments(ctx, c)
	return out[0], err
}

func (f hosted) ListReviews(ctx context.Context, name string, number int, part page.Request) (out page.Of[forge.Review], err error) {
	if ctx, err = f.in(ctx); err != nil {
		return out, err
	}
	d, err := f.house.Proposals.Get(ctx, name, number)
	if err != nil {
		return out, err
	}
	got := page.From(d.Reviews, part, func(r proposal.Review) string { return r.ID })
	out.Next = got.Next
	for _, r := range got.Items {
		review, err := f.review(ctx, r)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, review)
	}
	return out, nil
}

func (f hosted) review(ctx context.Context, r proposal.Review) (forge.Review, error) {
	who, err := f.people(ctx, r.Author)
	return forge.Review{ID: r.ID, Author: who(r.Author), Verdict: r.Verdict, Body: r.Body, Commit: r.Head, Created: r.Created}, err
}

func (f hosted) Review(ctx context.Context, name string, number int, n forge.NewReview) (forge.Review, error) {
	ctx, err := f.in(ctx)
	if err != nil {
		return forge.Review{}, err
	}
	review := proposal.NewReview{Verdict: n.Verdict, Body: n.Body, Head: n.Commit}
	for _, c := range n.Comments {
		review.Comments = append(review.Comments, proposal.NewComment{Path: c.Path, Line: c.Line, Old: c.Old, Body: c.Body})
	}
	d, err := f.house.Proposals.Review(ctx, name, number, review)
	if err != nil {
		return forge.Review{}, err
	}
	return f.review(ctx, d.Reviews[len(d.Reviews)-1])
}

func (f hosted) ListChecks(ctx context.Context, name, commit string) (out []forge.Check, err error) {
	if ctx, err = f.in(ctx); err != nil {
		return nil, err
	}
	return forge.All(1000, func(part page.Request) (list page.Of[forge.Check], err error) {
		got, err := f.house.Proposals.Checks(ctx, name, commit, part)
		for _, c := range got.Items {
			list.Items = append(list.Items, forge.Check{Name: c.Name, State: c.State, Description: c.Description, URL: c.URL, Updated: c.Updated})
		}
		list.Next = got.Next
		return list, err
	})
}

// SetCheck says failed of what could not be done: the platform has no word of its own for that.
func (f hosted) SetCheck(ctx context.Context, name, commit string, c forge.Check) error {
	ctx, err := f.in(ctx)
	if err != nil {
		return err
	}
	if c.State == forge.CheckError {
		c.State = proposal.CheckFailed
	}
	return f.house.Proposals.SetCheck(ctx, name, commit, proposal.Check{Name: c.Name, State: c.State, Description: c.Description, URL: c.URL})
}
