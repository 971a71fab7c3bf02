package server

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/product/search"
)

func (h *House) wireSearch() *search.Service {
	return search.New(search.Deps{
		DB: h.DB, Ledger: h.Ledger, Access: h.Access, Catalog: h.Catalog, Repositories: h.Repositories, Runs: h.Runs,
		Docs: searchedDocs{h.Docs}, Log: h.Log,
	})
}

// searchedDocs tells product/search of docs.
type searchedDocs struct{ docs *docs.Service }

func (s searchedDocs) Sites(ctx context.Context, ids []string) ([]search.Site, error) {
	all, err := s.docs.Projection(ctx, ids)
	sites := make([]search.Site, len(all))
	for i, p := range all {
		sites[i] = search.Site{ID: p.Site, Repository: p.Repository, Entities: make([]search.Entity, len(p.Entities))}
		for j, e := range p.Entities {
			sites[i].Entities[j] = search.Entity(e)
		}
	}
	return sites, err
}

func (s searchedDocs) Sections(ctx context.Context, site string, numbers []int) ([]search.Section, error) {
	all, err := s.docs.ProjectedSections(ctx, site, numbers)
	sections := make([]search.Section, len(all))
	for i, p := range all {
		sections[i] = search.Section{Number: p.Number, Path: p.Path, Title: p.Title, Anchor: p.Anchor, Heading: p.Heading, Text: p.Text}
	}
	return sections, err
}
