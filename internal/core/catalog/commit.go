package catalog

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// AtCommit gives an entity's document as the file that declares it has it at a commit of its repository, with what its
// placeholders bring, within the bounds of a location that is read. It needs entity:read, and repository:read in that of the file
// and in each other one that a placeholder brings a file of: what is not merged lends nobody the location's rights. What the
// location would not take is fault.Invalid, with its places.
func (s *Service) AtCommit(ctx context.Context, name ref.Entity, commit string) (d document.Document, err error) {
	e, err := s.Get(ctx, name)
	if err != nil {
		return d, err
	}
	if e.File.Repository == "" {
		return d, fault.Errorf(fault.Invalid, "%s was applied, so it has versions and no commits; name a version by its number", e.Ref)
	}
	readable, err := s.mayRead(ctx, e.File.Repository)
	if err != nil {
		return d, err
	}
	if !readable {
		return d, fault.Errorf(fault.NotFound, "there is no repository %s, or you may not read it", e.File.Repository)
	}
	data, err := s.repositories.ReadFile(ctx, e.File.Repository, commit, e.File.Path, maxFile)
	if err != nil {
		return d, fault.Wrap(err, "read %s of %s at %.12s", e.File.Path, e.File.Repository, commit)
	}
	all, err := document.Parse(e.File.Path, data, document.Limits{Bytes: maxFile, Expanded: maxTexts, Placeholders: true})
	if err != nil {
		return d, err
	}
	for _, d := range all {
		if d.Ref() != e.Ref {
			continue
		}
		r := s.look(Location{Space: e.Space, Repository: e.File.Repository, Branch: e.File.Branch, Path: e.File.Path}, commit)
		r.asCaller = true
		d, wrong, err := r.fill(ctx, &contents{path: e.File.Path, size: len(data)}, d)
		if err == nil && len(wrong) > 0 {
			err = fault.At(e.Ref.String()+" can't be read at this commit", wrong...)
		}
		return d, err
	}
	return d, fault.Errorf(fault.NotFound, "%s does not declare %s at %.12s", e.File.Path, e.Ref, commit)
}
