package catalog

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Suggestion is a file that a repository may begin with to have its code in the catalog.
type Suggestion struct {
	Target            // where it would be
	Document string   // a Component, in which its owner fills in the rest
	Existing []string // paths of files of that name which the repository has, and which declare something as far as they were read
}

// Suggest gives a document for the repository of an address, or for a folder of it. It needs repository:read; a repository that the
// caller may not read is not known. Nothing is written.
func (s *Service) Suggest(ctx context.Context, address string) (Suggestion, error) {
	t, err := s.TargetAt(ctx, address)
	if err != nil {
		return Suggestion{}, err
	}
	if may, err := s.mayRead(ctx, t.Repository); err != nil || !may {
		if err == nil {
			err = access.NotFound("repository " + t.Repository)
		}
		return Suggestion{}, err
	}
	if t.Path = fileIn(t.Path); strings.ContainsAny(t.Path, "*?[") || path.Ext(t.Path) != ".yaml" && path.Ext(t.Path) != ".yml" {
		t.Path = defaultFile
	}
	out := Suggestion{Target: t}
	err = s.eachCatalogFile(ctx, strings.TrimPrefix(address, "url:"), path.Base(t.Path), func(_ Location, _, file string, _ []document.Document) error {
		out.Existing = append(out.Existing, file)
		return nil
	})
	if err != nil {
		return out, err
	}
	home, err := s.repositories.Home(ctx, t.Repository)
	if err != nil {
		return out, fault.Wrap(err, "suggest an entity for %s", t.Repository)
	}
	out.Document = suggestedDocument(t, home, ownerFor(actor.From(ctx)))
	return out, nil
}

// ownerFor gives the first group of who asks, or them.
func ownerFor(who actor.Principal) string {
	switch {
	case len(who.Groups) > 0:
		return who.Groups[0]
	case !who.Ref.IsZero():
		return who.Ref.String()
	}
	return "unknown"
}

// asText writes a name so that YAML reads a text, whatever it looks like: 2024, true, null.
func asText(name string) string {
	text, err := yaml.Marshal(name)
	if err != nil {
		return strconv.Quote(name)
	}
	return strings.TrimSpace(string(text))
}

func suggestedDocument(t Target, home Home, owner string) string {
	name := path.Base(path.Dir(t.Path))
	if !ref.ValidName(name) {
		name = path.Base(t.Repository)
	}
	if !ref.ValidName(name) { // one of a repository may be longer
		name = "service"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: %s\n", asText(name))
	for _, f := range slugs {
		u, err := url.Parse(home.URL)
		if err != nil || home.Forge != f.forge {
			continue
		}
		if named := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"); slug.MatchString(named) {
			fmt.Fprintf(&b, "  annotations:\n    %s: %s\n", f.annotation, named)
		}
	}
	fmt.Fprintf(&b, "spec:\n  type: service\n  lifecycle: experimental\n  owner: %s\n", owner)
	return b.String()
}
