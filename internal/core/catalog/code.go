package catalog

import (
	"context"
	"net/url"
	"regexp"
	"strings"
)

// slugs are the annotations that name a repository at a forge by its path there.
var slugs = []struct{ annotation, forge, page string }{
	{"github.com/project-slug", "github", "https://github.com/"},
	{"gitlab.com/project-slug", "gitlab", "https://gitlab.com/"},
}

var slug = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}(/[A-Za-z0-9_.-]{1,100}){1,10}$`)

// CodeOf gives the repository (NAMESPACE/NAME) that has the code of an entity: what its annotations name, of what the caller may
// read (repository:read), or else the one whose file declares it. It is "" where there is none. It asks for no right to the
// entity, which the caller has read.
func (s *Service) CodeOf(ctx context.Context, e Entity) (string, error) {
	said := e.Document.Metadata.Annotations
	for _, f := range slugs {
		named := strings.Trim(strings.TrimSpace(said[f.annotation]), "/")
		if !slug.MatchString(named) {
			continue
		}
		pages := []string{f.page + named}
		if u, err := url.Parse(e.File.Home.URL); err == nil && e.File.Home.Forge == f.forge && u.Host != "" { // a company's own
			pages = append(pages, u.Scheme+"://"+u.Host+"/"+named)
		}
		for _, page := range pages {
			if name, _, err := s.repositoryOf(ctx, page, s.mayRead); name != "" || err != nil {
				return name, err
			}
		}
	}
	if source := strings.TrimSpace(said[AnnotationSource]); source != "" && len(source) <= maxAddress {
		if name, err := s.repositoryAt(ctx, strings.TrimPrefix(source, "url:")); name != "" || err != nil {
			return name, err
		}
	}
	return e.File.Repository, nil
}
