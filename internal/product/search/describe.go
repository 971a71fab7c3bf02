package search

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// marker marks the words of a query.
type marker struct {
	words []index.Word
	typos bool
}

func (m marker) mark(text string) []index.Piece { return index.Mark(text, m.words, m.typos) }

func (m marker) excerpt(text string) []index.Piece {
	return index.Excerpt(text, m.words, m.typos, excerptSize)
}

// describe reads what was found where it comes from, as the reader. What is gone or may not be seen is left out. wanted tells
// as whose docs those are rather shown; nil where that is all the same.
func (s *Service) describe(ctx context.Context, found []index.Hit, words []index.Word, typos bool, wanted func(string) bool) ([]Hit, error) {
	m := marker{words, typos}
	all := make([]*Hit, len(found))
	docs := func(ctx context.Context, found []index.Hit, m marker, all []*Hit) error {
		return s.describeDocs(ctx, found, m, wanted, all)
	}
	for _, read := range []func(context.Context, []index.Hit, marker, []*Hit) error{s.describeEntities, docs, s.describeRuns} {
		if err := read(ctx, found, m, all); err != nil {
			return nil, err
		}
	}
	hits := make([]Hit, 0, len(found))
	for i, h := range all {
		if h != nil {
			h.In, h.Score = found[i].In.String(), found[i].Score
			hits = append(hits, *h)
		}
	}
	return hits, nil
}

func stored(name string) ref.Entity {
	kind, rest, _ := strings.Cut(name, ":")
	namespace, bare, _ := strings.Cut(rest, "/")
	return ref.Entity{Kind: kind, Namespace: namespace, Name: bare}
}

func (s *Service) describeEntities(ctx context.Context, found []index.Hit, m marker, all []*Hit) error {
	var refs []ref.Entity
	var at []int
	for i, h := range found {
		if h.In == index.Entities || h.In == index.APIs {
			refs, at = append(refs, stored(h.Key)), append(at, i)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	entities, err := s.Catalog.ByRefs(ctx, refs)
	if err != nil {
		return err
	}
	for i, e := range entities {
		if e != nil {
			h := describeEntity(*e, m)
			all[at[i]] = &h
		}
	}
	return nil
}

func describeEntity(e catalog.Entity, m marker) Hit {
	h := facts(e)
	h.Title = m.mark(titleOf(e))
	description := e.Document.Metadata.Description
	h.Text = m.excerpt(description)
	if !index.Matches(h.Text) && !index.Matches(h.Title) {
		// Something else has the words: the name beside a title, a tag, a definition.
		others := append([]string{e.Ref.Name}, strings.Join(e.Document.Metadata.Tags, ", "))
		if e.Ref.Kind == "api" {
			others = append(others, definition(e.Document.Spec["definition"]))
		}
		for _, other := range others {
			if pieces := m.excerpt(other); index.Matches(pieces) {
				h.Text = pieces
				break
			}
		}
	}
	return h
}

// titleOf gives what an entity is called by people.
func titleOf(e catalog.Entity) string {
	if e.Document.Metadata.Title != "" {
		return e.Document.Metadata.Title
	}
	if profile, ok := e.Document.Spec["profile"].(map[string]any); ok && text(profile["displayName"]) != "" {
		return text(profile["displayName"])
	}
	return e.Document.Metadata.Name
}

func facts(e catalog.Entity) Hit {
	h := Hit{Ref: e.Ref.String(), Kind: e.Document.Kind, Type: e.Type, Lifecycle: text(e.Document.Spec["lifecycle"]), Space: e.Space, Updated: e.Updated}
	if !e.Owner.IsZero() {
		h.Owner = e.Owner.String()
	}
	return h
}

// describeDocs finds for each section an entity that the reader may see and whose docs it is, and reads the texts.
func (s *Service) describeDocs(ctx context.Context, found []index.Hit, m marker, wanted func(string) bool, all []*Hit) error {
	numbers := map[string]map[int]int{} // by site and number, the place
	for i, h := range found {
		if h.In != index.Docs {
			continue
		}
		_, number, _ := strings.Cut(h.Key, "/")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fault.Wrap(err, "read the key %s", h.Key)
		}
		if numbers[h.Place] == nil {
			numbers[h.Place] = map[int]int{}
		}
		numbers[h.Place][n] = i
	}
	if len(numbers) == 0 {
		return nil
	}
	ids := make([]string, 0, len(numbers))
	for id := range numbers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	sites, err := s.Docs.Sites(ctx, ids)
	if err != nil {
		return err
	}
	for _, site := range sites {
		repo, err := s.readable(ctx, site.Repository)
		if err != nil {
			return err
		}
		entity, err := s.shownAs(ctx, site, wanted)
		if err != nil {
			return err
		}
		if repo.ID == "" || entity == nil {
			continue
		}
		var wanted []int
		for n := range numbers[site.ID] {
			wanted = append(wanted, n)
		}
		sections, err := s.Docs.Sections(ctx, site.ID, wanted)
		if err != nil {
			return err
		}
		for _, section := range sections {
			if h, ok := describeSection(*entity, repo.Space, section, m); ok {
				all[numbers[site.ID][section.Number]] = &h
			}
		}
	}
	return nil
}

// describeSection gives what is told of a section. ok is false where it is not what was found: the site is another by now than the
// index knows, and its sections have other numbers.
func describeSection(e catalog.Entity, space string, section Section, m marker) (h Hit, ok bool) {
	if !index.Has(m.words, m.typos, section.Heading, section.Title, section.Text) {
		return h, false
	}
	h = facts(e)
	h.Space = space
	h.Path, h.Anchor, h.Page = section.Path, section.Anchor, section.Title
	if section.Heading == section.Title {
		h.Anchor = "" // the page itself
	}
	h.Title = m.mark(cmp.Or(section.Heading, section.Title))
	h.Text = m.excerpt(section.Text)
	return h, true
}

// readable gives a repository that the reader may read; none where it may not.
func (s *Service) readable(ctx context.Context, id string) (repository.Repository, error) {
	r, err := s.Repositories.Platform().ByID(ctx, id)
	if err == nil {
		r, err = s.Repositories.Authorize(ctx, repository.Read, r.FullName())
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Denied) {
		return repository.Repository{}, nil
	}
	return r, err
}

// shownAs gives the entity as whose docs a site is shown: of those that the reader may see one that is wanted, a component, or
// else an API, or what comes first. It is nil when there is none.
func (s *Service) shownAs(ctx context.Context, site Site, wanted func(string) bool) (*catalog.Entity, error) {
	rank := func(e ref.Entity) int {
		if wanted != nil && !wanted(e.String()) {
			return 4
		}
		switch e.Kind {
		case "component":
			return 0
		case "api":
			return 1
		case "system":
			return 2
		}
		return 3
	}
	refs := make([]ref.Entity, len(site.Entities))
	for i, e := range site.Entities {
		refs[i] = stored(e.Ref)
	}
	slices.SortFunc(refs, func(a, b ref.Entity) int {
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.String(), b.String()))
	})
	const atOnce = 50
	for part := range slices.Chunk(refs, atOnce) {
		entities, err := s.Catalog.ByRefs(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, e := range entities {
			if e != nil {
				return e, nil
			}
		}
	}
	return nil, nil
}

func (s *Service) describeRuns(ctx context.Context, found []index.Hit, m marker, all []*Hit) error {
	for i, h := range found {
		if h.In != index.Runs {
			continue
		}
		r, err := s.Runs.Get(ctx, strings.TrimPrefix(h.Key, runKey))
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		all[i] = &Hit{Title: m.mark(r.Title), Ref: r.Subject, Type: r.Kind, Space: r.Space, Run: r.ID, State: r.State, Updated: r.Updated}
	}
	return nil
}
