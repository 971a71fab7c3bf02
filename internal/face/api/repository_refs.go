package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) refRoutes(one string) {
	const noun = "repositories"
	register(a, operation("listBranches", http.MethodGet, one+"/branches", noun, "Branches, by name"), a.listBranches)
	op := operation("createBranch", http.MethodPost, one+"/branches", noun, "Make a branch at a commit")
	op.DefaultStatus = 201
	register(a, op, a.createBranch)
	register(a, operation("deleteBranch", http.MethodDelete, one+"/branches", noun, "Delete a branch"), a.deleteBranch)
	register(a, operation("listTags", http.MethodGet, one+"/tags", noun, "Tags, by name"), a.listTags)
	op = operation("createTag", http.MethodPost, one+"/tags", noun, "Make a tag at a commit")
	op.DefaultStatus = 201
	register(a, op, a.createTag)
	register(a, operation("deleteTag", http.MethodDelete, one+"/tags", noun, "Delete a tag"), a.deleteTag)
	register(a, operation("compare", http.MethodGet, one+"/compare", noun, "What one branch, tag or commit changes since what it has in common with another"), a.compare)
}

type listRefsInput struct {
	Named
	Paging
	Text    string `query:"text" maxLength:"200" doc:"Part of the name, in any case."`
	Details bool   `query:"details" doc:"With what is read of the repository for each."`
}

// refs gives a part of the references of a repository below a prefix.
func (a *API) refs(ctx context.Context, in *listRefsInput, prefix string) (page.Of[repository.Ref], func(id string) Actor, error) {
	all, err := a.Repositories.Refs(ctx, in.full())
	if err != nil {
		return page.Of[repository.Ref]{}, nil, err
	}
	text := strings.ToLower(in.Text)
	all = slices.DeleteFunc(all, func(r repository.Ref) bool {
		name, ok := strings.CutPrefix(r.Name, prefix)
		return !ok || !strings.Contains(strings.ToLower(name), text)
	})
	part := page.From(all, in.part(), func(r repository.Ref) string { return r.Name })
	var ids []string
	for _, r := range part.Items {
		ids = append(ids, r.Actor)
	}
	who, err := a.people(ctx, ids)
	return part, who, err
}

func (a *API) listBranches(ctx context.Context, in *listRefsInput) (*body[List[Branch]], error) {
	const prefix = "refs/heads/"
	part, who, err := a.refs(ctx, in, prefix)
	if err != nil {
		return nil, err
	}
	facts := map[string]repository.BranchFacts{}
	proposed := map[string]int{}
	if in.Details {
		if facts, err = a.Repositories.BranchFacts(ctx, in.full(), part.Items); err != nil {
			return nil, err
		}
		open, err := a.Proposals.List(ctx, proposal.Query{Repository: in.full(), State: proposal.Open}, page.Request{Limit: page.Most})
		if err != nil {
			return nil, err
		}
		for _, p := range open.Items {
			proposed[p.Source] = p.Number
		}
	}
	return listPart(part, func(r repository.Ref) Branch {
		b := Branch{Name: strings.TrimPrefix(r.Name, prefix), Commit: r.Hash, Updated: r.Updated, By: who(r.Actor)}
		if f, ok := facts[r.Name]; ok {
			last := wireCommit(f.Commit)
			b.Last, b.Protected, b.ByProposals, b.Proposal = &last, f.Protected, f.ByProposals, proposed[b.Name]
			if f.Counted {
				b.Ahead, b.Behind = &f.Ahead, &f.Behind
			}
		}
		return b
	}), nil
}

func (a *API) listTags(ctx context.Context, in *listRefsInput) (*body[List[Tag]], error) {
	const prefix = "refs/tags/"
	part, who, err := a.refs(ctx, in, prefix)
	if err != nil {
		return nil, err
	}
	tags, commits := map[string]git.Tag{}, map[string]git.Commit{}
	if in.Details {
		if tags, commits, err = a.Repositories.TagFacts(ctx, in.full(), part.Items); err != nil {
			return nil, err
		}
	}
	return listPart(part, func(r repository.Ref) Tag {
		t := Tag{Name: strings.TrimPrefix(r.Name, prefix), Commit: r.Hash, Etag: r.Hash, Updated: r.Updated, By: who(r.Actor)}
		if said, ok := tags[t.Name]; ok {
			t.Message, t.Tagger, t.Tagged = said.Message, said.Tagger.Name, moment(said.Tagger.When)
			if c, ok := commits[r.Hash]; ok {
				last := wireCommit(c)
				t.Last, t.Commit = &last, c.Hash
			}
		}
		return t
	}), nil
}

type newRefInput struct {
	Named
	Body NewRef
}

func (a *API) createBranch(ctx context.Context, in *newRefInput) (*body[Committed], error) {
	commit, err := a.Repositories.CreateBranch(ctx, in.full(), repository.NewRef{Name: in.Body.Name, At: in.Body.At})
	return answer(Committed{Commit: commit, Branch: in.Body.Name}), err
}

func (a *API) createTag(ctx context.Context, in *newRefInput) (*body[Tag], error) {
	commit, err := a.Repositories.CreateTag(ctx, in.full(), repository.NewRef(in.Body))
	if err != nil {
		return nil, err
	}
	list, err := a.listTags(ctx, &listRefsInput{Named: in.Named, Text: in.Body.Name, Paging: Paging{Limit: page.Most}, Details: true})
	if err != nil {
		return nil, err
	}
	for _, t := range list.Body.Items {
		if t.Name == in.Body.Name {
			return answer(t), nil
		}
	}
	return answer(Tag{Name: in.Body.Name, Commit: commit, Message: in.Body.Message}), nil
}

type deleteRefInput struct {
	Named
	Match
	Ref string `query:"name" required:"true" maxLength:"250"`
}

func (a *API) deleteBranch(ctx context.Context, in *deleteRefInput) (*struct{}, error) {
	return nil, a.Repositories.RemoveBranch(ctx, in.full(), in.Ref, in.etag())
}

func (a *API) deleteTag(ctx context.Context, in *deleteRefInput) (*struct{}, error) {
	return nil, a.Repositories.RemoveTag(ctx, in.full(), in.Ref, in.etag())
}

type compareInput struct {
	Named
	Base string `query:"base" required:"true" maxLength:"250" doc:"Branch, tag or commit."`
	Head string `query:"head" required:"true" maxLength:"250" doc:"Branch, tag or commit."`
}

func (a *API) compare(ctx context.Context, in *compareInput) (*body[Comparison], error) {
	from, to, s, d, err := a.Repositories.Compare(ctx, in.full(), in.Base, in.Head, git.DiffLimits{})
	if err != nil {
		return nil, err
	}
	base, err := a.Repositories.Resolve(ctx, in.full(), in.Base)
	return answer(Comparison{Diff: wireDiff(from, to, d), Ahead: s.Ahead, Behind: s.Behind, Base: base, Conflicts: s.Conflicts}), err
}
