package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/product/search"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) searchRoutes() {
	register(a, operation("search", http.MethodGet, "/search", "search", "Find entities, docs, APIs and runs by words, the best first"), a.search)
}

type searchInput struct {
	Paging
	Q         string `query:"q" maxLength:"400" doc:"Words that all occur, begun or with a typo; in quotes as they are. KEY:VALUE is one of the filters below. Empty for everything that the filters leave."`
	In        string `query:"in" maxLength:"100" doc:"entities (but APIs), apis, docs, runs, with commas; all when empty."`
	Kind      string `query:"kind" maxLength:"500" doc:"Kinds of entities, with commas."`
	Type      string `query:"type" maxLength:"500" doc:"spec.type of entities or kinds of runs, with commas."`
	Owner     string `query:"owner" maxLength:"1000" doc:"References, with commas; a bare name is a group in the namespace default."`
	Lifecycle string `query:"lifecycle" maxLength:"500" doc:"With commas."`
	Space     string `query:"space" maxLength:"500" doc:"With commas."`
	Namespace string `query:"namespace" maxLength:"500" doc:"Of entities, with commas."`
	Facets    string `query:"facets" maxLength:"100" doc:"What to count, with commas: kind, type, owner, lifecycle, space, namespace."`
}

func (a *API) search(ctx context.Context, in *searchInput) (*body[SearchResult], error) {
	found, err := a.Search.Search(ctx, search.Query{
		Text: in.Q, In: words(in.In), Kinds: words(in.Kind), Types: words(in.Type), Owners: words(in.Owner), Lifecycles: words(in.Lifecycle),
		Spaces: words(in.Space), Namespaces: words(in.Namespace), Facets: words(in.Facets), Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	out := SearchResult{
		Items: make([]SearchHit, len(found.Hits)), Next: found.Next, Total: found.Total, In: wireCounts("in", found.In), Facets: map[string][]Facet{},
		Typos: found.Typos, Building: found.Building,
	}
	for _, name := range words(in.Facets) {
		if counts, known := found.Facets[name]; known {
			out.Facets[name] = wireCounts(name, counts)
		}
	}
	for i, h := range found.Hits {
		out.Items[i] = SearchHit{
			In: h.In, Score: h.Score, Title: wirePieces(h.Title), Text: wirePieces(h.Text), Ref: h.Ref, Kind: h.Kind, Type: h.Type, Owner: h.Owner,
			Lifecycle: h.Lifecycle, Space: h.Space, Path: h.Path, Anchor: h.Anchor, Page: h.Page, Run: h.Run, State: h.State, Updated: moment(h.Updated),
			Address: addressOf(h),
		}
	}
	return answer(out), nil
}

func wireCounts(field string, counts []index.Count) []Facet {
	list := make([]Facet, len(counts))
	for i, c := range counts {
		list[i] = Facet{Field: field, Value: c.Value, Count: c.Count}
	}
	return list
}

func wirePieces(pieces []index.Piece) []TextPiece {
	list := make([]TextPiece, len(pieces))
	for i, p := range pieces {
		list[i] = TextPiece(p)
	}
	return list
}

// addressOf gives the portal's page of what was found.
func addressOf(h search.Hit) string {
	if h.Run != "" {
		return "/runs/" + h.Run
	}
	r, err := ref.Parse(h.Ref, "", "")
	if err != nil {
		return "/catalog"
	}
	if h.In == index.Docs.String() {
		address := url.URL{Path: strings.TrimSuffix(strings.Join([]string{"/docs", r.Namespace, r.Kind, r.Name, h.Path}, "/"), "/"), Fragment: h.Anchor}
		return address.String()
	}
	switch r.Kind {
	case "stack":
		return "/infrastructure/" + r.Namespace + "/" + r.Name
	case "application":
		return "/applications/" + r.Namespace + "/" + r.Name
	case "integration":
		return "/integrations/" + r.Namespace + "/" + r.Name
	}
	return "/catalog/" + r.Kind + "/" + r.Namespace + "/" + r.Name
}
