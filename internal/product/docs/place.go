package docs

import (
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// spot is a folder of a repository that a text names.
type spot struct {
	repository string // NAMESPACE/NAME
	branch     string // "" for the default one
	folder     string
	convention bool
	start      string // a page of another entity's docs; "" for the first one
}

// place finds where an entity's docs are, as the principal of ctx.
func (s *Service) place(ctx context.Context, r ref.Entity) (Place, error) {
	e, err := s.Catalog.Get(ctx, r)
	if err != nil {
		return Place{}, err
	}
	at, err := s.spot(ctx, e, 0)
	if err != nil {
		return Place{}, err
	}
	repo, err := s.Repositories.Authorize(ctx, repository.Read, at.repository)
	if fault.Is(err, fault.NotFound) {
		return Place{}, access.NotFound("repository with the docs of " + r.String())
	}
	if err != nil {
		return Place{}, err
	}
	p := Place{Entity: r, Repository: repo, Branch: at.branch, Folder: at.folder, Convention: at.convention, Start: at.start}
	if p.Branch == "" {
		p.Branch = repo.DefaultBranch
	}
	return p, nil
}

// spot reads where an entity says that its docs are. It asks for no right but those to other entities.
func (s *Service) spot(ctx context.Context, e catalog.Entity, hops int) (spot, error) {
	target, other := says(e.Document)
	if other != "" && target == "" {
		const most = 3
		to, err := ref.Parse(other, "component", e.Ref.Namespace)
		if err != nil || hops >= most {
			return spot{}, fault.Errorf(fault.Invalid, "%s: the annotation %s leads to no entity with docs", e.Ref, annotationEntity)
		}
		next, err := s.Catalog.Get(ctx, to)
		if err != nil {
			return spot{}, fault.Wrap(err, "find the docs of %s", e.Ref)
		}
		at, err := s.spot(ctx, next, hops+1)
		if start := e.Document.Metadata.Annotations[annotationPath]; start != "" {
			at.start = start
		}
		return at, err
	}
	own := spot{repository: e.File.Repository, branch: e.File.Branch, folder: folderOf(e.File.Path)}
	if target == "" {
		if e.File.Repository == "" || !things[e.Ref.Kind] {
			return spot{}, fault.Errorf(fault.NotFound, "%s has no docs; say where they are with the annotation %s: dir:., or url: and the address of a repository", e.Ref, annotationDocs)
		}
		own.convention = true
		return own, nil
	}
	switch kind, rest, _ := strings.Cut(strings.TrimSpace(target), ":"); kind {
	case "dir":
		if own.repository == "" {
			source, ok := e.Document.Metadata.Annotations[annotationSource]
			if !ok {
				return spot{}, fault.Errorf(fault.Invalid, "%s was applied, so %q is relative to nothing; write url: and the address of a repository", e.Ref, target)
			}
			var err error
			if own, err = s.address(ctx, strings.TrimPrefix(source, "url:")); err != nil {
				return spot{}, fault.Wrap(err, "read the annotation %s of %s", annotationSource, e.Ref)
			}
		}
		folder, ok := within(own.folder, rest)
		if !ok {
			return spot{}, fault.Errorf(fault.Invalid, "%s: %q leads out of the repository", e.Ref, target)
		}
		own.folder = folder
		return own, nil
	case "url":
		at, err := s.address(ctx, rest)
		return at, fault.Wrap(err, "read the annotation %s of %s", annotationDocs, e.Ref)
	}
	return spot{}, fault.Errorf(fault.Invalid, "%s: %.100q names no docs; write dir: and a folder beside the file, or url: and the address of a repository", e.Ref, target)
}

func folderOf(file string) string {
	if dir := path.Dir(file); dir != "." {
		return dir
	}
	return ""
}

// verbs are between the address of a repository and a branch, at the forges.
var verbs = []string{"/-/tree/", "/-/blob/", "/src/branch/", "/tree/", "/blob/", "/edit/"}

// address reads the address of a folder: of a repository that is hosted here, or the page of one at a forge that is
// connected here.
func (s *Service) address(ctx context.Context, text string) (spot, error) {
	text = strings.TrimSpace(text)
	unknown := fault.Errorf(fault.NotFound, "no repository that is known here has the address %.200s; connect it, or write the address of one", text)
	u, err := url.Parse(text)
	if err != nil {
		return spot{}, unknown
	}
	if u.Host == "" { // /git/NAMESPACE/NAME/…, whatever this server is called
		if text, err = url.JoinPath(s.BaseURL, u.Path); err != nil {
			return spot{}, unknown
		}
	}
	if name, file, ok := repository.ParseURL(s.BaseURL, text); ok {
		folder, inside := within("", strings.TrimSuffix(file, "/"))
		if !inside {
			return spot{}, unknown
		}
		return spot{repository: name, branch: u.Query().Get("ref"), folder: folder}, nil
	}
	page, rest := text, ""
	for _, verb := range verbs {
		if before, after, found := strings.Cut(text, verb); found {
			page, rest = before, after
			break
		}
	}
	r, err := s.connected(ctx, strings.TrimSuffix(strings.TrimSuffix(page, "/"), ".git"))
	if fault.Is(err, fault.NotFound) {
		return spot{}, unknown
	}
	if err != nil {
		return spot{}, err
	}
	branch, folder := r.DefaultBranch, ""
	rest = strings.Trim(strings.SplitN(rest, "?", 2)[0], "/")
	if after, is := strings.CutPrefix(rest+"/", branch+"/"); is {
		folder = after
	} else if rest != "" {
		branch, folder, _ = strings.Cut(rest, "/")
	}
	folder, inside := within("", strings.Trim(folder, "/"))
	if !inside {
		return spot{}, unknown
	}
	return spot{repository: r.FullName(), branch: branch, folder: folder}, nil
}

// connected gives the repository that has its page somewhere; of several, which have it through different integrations, the
// first that the caller may read.
func (s *Service) connected(ctx context.Context, page string) (repository.Repository, error) {
	names, _, err := s.Repositories.Platform().ByPage(ctx, page)
	if err != nil {
		return repository.Repository{}, err
	}
	for _, name := range names {
		r, err := s.Repositories.Authorize(ctx, repository.Read, name)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return r, err
		}
	}
	return repository.Repository{}, access.NotFound("repository with the page " + page)
}
