package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (a *API) commitRoutes(one string) {
	const noun = "repositories"
	register(a, operation("listCommits", http.MethodGet, one+"/commits", noun, "Commits, newest first"), a.listCommits)
	op := operation("commitFiles", http.MethodPost, one+"/commits", noun, "Change files in one commit, on a branch or a new one")
	op.DefaultStatus, op.MaxBodyBytes = 201, 16<<20
	register(a, op, a.commitFiles)
	register(a, operation("getCommit", http.MethodGet, one+"/commit", noun, "One commit"), a.getCommit)
	register(a, operation("diffCommit", http.MethodGet, one+"/commit/diff", noun, "What a commit changes of its first parent"), a.diffCommit)
	register(a, operation("listCommitProposals", http.MethodGet, one+"/commit/proposals", noun, "Proposals whose head it is, and the one that brought it into the default branch"), a.listCommitProposals)
}

type listCommitsInput struct {
	AtInput
	Paging
	Base   string `query:"base" maxLength:"250" doc:"Branch, tag or commit whose commits are left out."`
	Author string `query:"author" maxLength:"200" doc:"Part of the author's name or address, in any case."`
	Text   string `query:"text" maxLength:"200" doc:"Part of the message, in any case."`
	Follow bool   `query:"follow" doc:"The path is a file, whose earlier names are followed."`
}

func (a *API) listCommits(ctx context.Context, in *listCommitsInput) (*body[List[Commit]], error) {
	part, err := a.Repositories.History(ctx, in.full(), in.Ref, git.History{Without: in.Base, Path: in.Path, Follow: in.Follow, Author: in.Author, Text: in.Text}, in.part())
	return listPart(part, func(c git.PathCommit) Commit {
		out := wireCommit(c.Commit)
		out.Path = c.Path
		return out
	}), err
}

func wireCommit(c git.Commit) Commit {
	return Commit{Hash: c.Hash, Parents: append([]string{}, c.Parents...), Author: c.Author.Name, Subject: c.Subject(), Message: c.Message, Time: c.Author.When}
}

// RefInput names a commit.
type RefInput struct {
	Named
	Ref string `query:"ref" maxLength:"250" doc:"Branch, tag or commit; empty for the default branch."`
}

func (a *API) getCommit(ctx context.Context, in *RefInput) (*body[CommitDetail], error) {
	c, err := a.Repositories.Commit(ctx, in.full(), in.Ref)
	return answer(CommitDetail{Commit: wireCommit(c), Email: c.Author.Email, Committer: c.Committer.Name, Committed: c.Committer.When}), err
}

func (a *API) diffCommit(ctx context.Context, in *RefInput) (*body[Diff], error) {
	c, err := a.Repositories.Commit(ctx, in.full(), in.Ref)
	if err != nil {
		return nil, err
	}
	from := ""
	if len(c.Parents) > 0 {
		from = c.Parents[0]
	}
	d, err := a.Repositories.Diff(ctx, in.full(), from, c.Hash, git.DiffLimits{})
	return answer(wireDiff(from, c.Hash, d)), err
}

type listCommitProposalsInput struct {
	RefInput
	Paging
}

func (a *API) listCommitProposals(ctx context.Context, in *listCommitProposalsInput) (*body[List[ProposalLine]], error) {
	c, err := a.Repositories.Commit(ctx, in.full(), in.Ref)
	if err != nil {
		return nil, err
	}
	brought, err := a.Repositories.Brought(ctx, in.full(), c.Hash)
	if err != nil {
		return nil, err
	}
	part, err := a.Proposals.List(ctx, proposal.Query{Repository: in.full(), Commits: brought}, in.part())
	if err != nil {
		return nil, err
	}
	items, err := a.wireLines(ctx, part.Items)
	return list(items, part.Next), err
}

type commitFilesInput struct {
	Named
	Body NewCommit
}

func (a *API) commitFiles(ctx context.Context, in *commitFilesInput) (*body[Committed], error) {
	b := in.Body
	r, err := a.Repositories.Authorize(ctx, repository.Write, in.full())
	if err != nil {
		return nil, err
	}
	edit := repository.Edit{Branch: cmp.Or(b.Branch, r.DefaultBranch), From: b.From, Message: b.Message}
	for _, c := range b.Changes {
		content := c.Bytes
		if c.Text != "" {
			if len(content) > 0 {
				return nil, fault.Errorf(fault.Invalid, "%s: give text or bytes, not both", c.Path)
			}
			content = []byte(c.Text)
		}
		edit.Changes = append(edit.Changes, repository.FileEdit{Path: c.Path, Content: content, Mode: c.Mode, Delete: c.Delete, Base: c.Base})
	}
	commit, err := a.Repositories.Edit(ctx, in.full(), edit)
	return answer(Committed{Commit: commit, Branch: edit.Branch}), err
}
