package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) editRoutes() {
	register(a, operation("editEntities", http.MethodPost, "/edits", "entities", "Change what is declared of entities where that is declared: by a commit, a proposal or an apply"), a.editEntities)
}

type editInput struct {
	Match // of one entity
	Body  struct {
		Refs     []string   `json:"refs" maxItems:"200" doc:"References; a bare name is a component."`
		Set      EntityEdit `json:"set,omitempty"`
		Document string     `json:"document,omitempty" maxLength:"1048576" doc:"YAML or JSON of the whole document of the one entity, in place of set."`
		Message  string     `json:"message,omitempty" maxLength:"5000" doc:"Of commits and proposals."`
		Propose  bool       `json:"propose,omitempty" doc:"Open proposals also where the caller may push."`
		DryRun   bool       `json:"dryRun,omitempty" doc:"Only tell what would be done."`
	}
}

func (a *API) editEntities(ctx context.Context, in *editInput) (*body[Edited], error) {
	d := proposal.Declare{Message: in.Body.Message, Propose: in.Body.Propose, DryRun: in.Body.DryRun, IfMatch: in.etag()}
	for _, name := range in.Body.Refs {
		r, err := ref.Parse(name, "component", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		d.Refs = append(d.Refs, r)
	}
	s := in.Body.Set
	d.Edit = document.Edit{
		Title: s.Title, Description: s.Description, Owner: s.Owner, Lifecycle: s.Lifecycle, System: s.System, Tags: s.Tags, AddTags: s.AddTags,
		RemoveTags: s.RemoveTags, Relations: s.Relations, Text: in.Body.Document,
	}
	if s.Links != nil {
		links := []document.Link{}
		for _, l := range *s.Links {
			links = append(links, document.Link{URL: l.URL, Title: l.Title, Icon: l.Icon, Type: l.Type})
		}
		d.Edit.Links = &links
	}
	deeds, refused, err := a.Proposals.Declare(ctx, d)
	if err != nil {
		return nil, err
	}
	out := Edited{Deeds: []Deed{}, Refused: []Refused{}}
	for _, x := range deeds {
		deed := Deed{Way: x.Way, Repository: x.Repository, Branch: x.Branch, Commit: x.Commit, Proposal: x.Number, Space: x.Space, Source: x.Source, Changes: []Redeclared{}}
		for _, c := range x.Changes {
			deed.Changes = append(deed.Changes, Redeclared{Ref: c.Ref.String(), Path: c.Path, Diff: differences(c.Diff)})
		}
		out.Deeds = append(out.Deeds, deed)
	}
	for _, x := range refused {
		out.Refused = append(out.Refused, Refused{Ref: x.Ref.String(), Where: x.Where, Why: x.Why})
	}
	return answer(out), nil
}
