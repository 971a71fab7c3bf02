package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Bounds of one look at files that nobody has registered yet.
const (
	looksAtOnce     = 2         // others wait
	maxLooked       = 5_000     // documents
	maxLookedBytes  = 32 << 20  // of files, and of documents with what aliases repeat and placeholders bring
	maxLookedValues = 1_000_000 // of one file, which is no catalog file when it has more
)

// Preview is what a target would bring as a location.
type Preview struct {
	Location Location       // as it would be, or as it is when it is one already; Error and Details tell what could not be taken, or that there is more
	Entities []Entity       // of the document the Text alone, and no uid, etag and relations: they are not in the catalog
	Taken    []fault.Detail // of the first 500, those whose names others have; at most 50
}

// PreviewLocation reads what a target declares and leaves the catalog as it is. It needs location:write in the space and
// repository:read in that of the repository.
func (s *Service) PreviewLocation(ctx context.Context, space string, target Target) (p Preview, err error) {
	if space == "" {
		space = access.Root
	}
	if err := s.access.Authorize(ctx, "location:write", space); err != nil {
		return p, err
	}
	if target, err = target.check(); err != nil {
		return p, err
	}
	l := Location{Space: space, Repository: target.Repository, Path: target.Path, Branch: target.Branch, readable: true}
	known, err := s.FindLocation(ctx, space, target)
	switch {
	case err == nil:
		l = known
		l.Existed = true
	case !fault.Is(err, fault.NotFound):
		return p, err
	}
	l.readable, err = s.mayRead(ctx, target.Repository)
	if err != nil || !l.readable {
		return p, orNotFound(err, "there is no repository %s, or you may not read it", target.Repository)
	}
	commit, err := s.head(ctx, l)
	if err != nil {
		return p, err
	}
	if l.Home, err = s.repositories.Home(ctx, l.Repository); err != nil {
		return p, err
	}
	read := s.look(l, commit)
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		read.rules, err = s.rulesOf(ctx, tx, l)
		return err
	})
	if err != nil {
		return p, err
	}
	if err := read.start(ctx); err != nil {
		return p, err
	}
	if err := s.beginLook(ctx); err != nil {
		return p, err
	}
	defer s.looks.Release(1)
	err = read.all(ctx)
	if err != nil && !errors.Is(err, errEnough) {
		return p, err
	}
	f := read.failure()
	if err != nil {
		f.details = append(f.details, fault.Detail{Message: fmt.Sprintf("there is more: a dry run tells the first %d documents, or %d MiB", maxLooked, maxLookedBytes>>20),
			Hint: "all of it is read once the location is registered"})
	}
	l.Error, l.Details, l.Commit, l.Total = f.message, f.details, commit, len(read.singles)
	p.Location = l
	if p.Taken, err = s.taken(ctx, read.singles); err != nil {
		return p, err
	}
	for _, c := range read.singles {
		e := Entity{Ref: c.name, Space: space, Source: l.source(), File: l.file(), Origin: l.file()}
		e.File.Path, e.File.Commit, e.text = c.path, commit, c.text
		if l.ID == "" { // for those who tell entities that were read from those that were applied
			e.File.Location, e.Origin.Location = "new", "new"
		}
		p.Entities = append(p.Entities, e)
	}
	return p, nil
}

// beginLook waits for its turn to read files. It comes after they were found, since until then a forge may have been cloned, for
// which the others don't wait.
func (s *Service) beginLook(ctx context.Context) error {
	if err := s.looks.Acquire(ctx, 1); err != nil {
		return fault.Errorf(fault.Canceled, "the files were not looked at, since others are and the request has ended: %w", err)
	}
	return nil
}

// taken tells which of the names that changes bring are somebody else's.
func (s *Service) taken(ctx context.Context, all []change) (taken []fault.Detail, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		for _, c := range all[:min(len(all), maxLimit)] {
			old, err := fetch(ctx, tx, c.name)
			if err != nil {
				return err
			}
			if old == nil || !c.foreign(old) {
				continue
			}
			why, err := s.belongs(ctx, tx, old, c)
			if err != nil {
				return err
			}
			if taken = append(taken, fault.Detail{File: c.path, Message: c.name.String() + ": " + why}); len(taken) == maxTaken {
				return nil
			}
		}
		return nil
	})
	return taken, err
}

const maxTaken = 50

// FindLocation gives the location of a target in a space. It needs entity:read there; otherwise NotFound.
func (s *Service) FindLocation(ctx context.Context, space string, target Target) (l Location, err error) {
	if target, err = target.check(); err != nil {
		return l, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		l, err = findLocation(ctx, tx, space, target)
		return err
	})
	if err != nil {
		return l, err
	}
	return l, s.access.ReadOrNotFound(ctx, "entity:read", l.Space, "location "+l.ID)
}

// Registered tells whether somebody registered a location, besides those that Location entities name.
func (l Location) Registered() bool { return l.kept }

// File gives the file or pattern that a location names.
func (l Location) File() File { return l.file() }

// MoveLocation has a location read another target from now on: what the old one declared and the new one does not goes.
// Restricted kinds are not taken any more, since the trust was in the old one. It needs the rights of AddLocation.
func (s *Service) MoveLocation(ctx context.Context, id string, target Target) (Location, error) {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return l, err
	}
	if err := s.access.Authorize(ctx, "location:write", l.Space); err != nil {
		return l, err
	}
	if target, err = target.check(); err != nil {
		return l, err
	}
	readable, err := s.mayRead(ctx, target.Repository)
	if err != nil {
		return l, err
	}
	moved := false
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if l, err = locationByID(ctx, tx, id); err != nil {
			return err
		}
		if l.Repository == target.Repository && l.Path == target.Path && l.Branch == target.Branch {
			return nil
		}
		if other, err := findLocation(ctx, tx, l.Space, target); err == nil {
			return fault.Errorf(fault.Conflict, "location %s is registered already, as %s", other, other.ID)
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		if parents, err := holders(ctx, tx, id, map[string]bool{}); err != nil || len(parents) > 0 {
			if err == nil {
				err = fault.Errorf(fault.Conflict, "location %s is named by %s; change it there", l, parents[0])
			}
			return err
		}
		if err := s.distrust(ctx, tx, l, nil); err != nil {
			return err
		}
		moved = true
		l.Repository, l.Path, l.Branch, l.readable, l.kept = target.Repository, target.Path, target.Branch, readable, true
		l.Commit, l.Error, l.Details, l.Trusted, l.Home = "", "", nil, nil, Home{}
		l.generation++ // a refresh of the old target ends
		if _, err := tx.Exec(ctx, `UPDATE locations SET repository = $2, path = $3, branch = $4 WHERE id = $1`, id, l.Repository, l.Path, l.Branch); err != nil {
			return fault.Wrap(err, "move location %s", l)
		}
		if err := s.saveLocation(ctx, tx, l); err != nil {
			return err
		}
		return s.tellLocation(ctx, tx, "location.moved", l, nil)
	})
	if err != nil || !moved {
		return l, err
	}
	l, _, err = s.RefreshLocation(ctx, id)
	return l, err
}

// Validate tells what is wrong with a document, as an apply of it would.
func (s *Service) Validate(d document.Document) []fault.Detail {
	_, wrong := s.checkOne(d)
	return wrong
}

// CatalogFile is a file of a repository that declares entities.
type CatalogFile struct {
	Entities   []Entity // as it says: of the document the Text alone, and no uid, etag and relations
	Registered bool     // an entity of the catalog comes from it
}

const maxCatalogFiles = 200

// CatalogFiles gives the files of a name that a repository has on its default branch, and that can be read. The address is that
// of the repository or of something in it; of one that the caller may not read there are none. TooLarge when they are more than
// is told at once.
func (s *Service) CatalogFiles(ctx context.Context, address, name string) (files []CatalogFile, err error) {
	count, left := maxLooked, maxLookedBytes
	err = s.eachCatalogFile(ctx, address, name, func(l Location, commit, path string, documents []document.Document) error {
		var f CatalogFile
		refs := make([]ref.Entity, len(documents))
		for i, d := range documents {
			e := Entity{Ref: d.Ref(), Space: l.Space, File: l.file(), text: d.JSON()}
			if count, left = count-1, left-len(e.text); count < 0 || left < 0 {
				break
			}
			e.File.Location, e.File.Path, e.File.Commit = "new", path, commit
			e.Origin = e.File
			refs[i] = e.Ref
			f.Entities = append(f.Entities, e)
		}
		if count < 0 || left < 0 || documents == nil {
			return fault.Errorf(fault.TooLarge, "the files %s of %s declare more than the %d entities or %d MiB that are looked at; give the address of one of them, or register the pattern **/%s",
				name, l.Repository, maxLooked, maxLookedBytes>>20, name)
		}
		known, err := s.ByRefs(ctx, refs)
		for _, e := range known {
			if e != nil && e.File.Repository == l.Repository && e.File.Path == path {
				f.Registered = true
			}
		}
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return files, nil
}

// eachCatalogFile gives the files of CatalogFiles to fn, one after the other, with what they declare. Beyond the bytes that are
// looked at it reads none, and gives the paths alone.
func (s *Service) eachCatalogFile(ctx context.Context, address, name string, fn func(l Location, commit, path string, documents []document.Document) error) error {
	if name == "" || strings.ContainsAny(name, `/*?[\`) {
		return fault.Errorf(fault.Invalid, "%q is not the name of a file", clip(name))
	}
	repository, err := s.repositoryAt(ctx, address)
	if err != nil || repository == "" {
		return err
	}
	space, err := s.repositories.SpaceOf(ctx, repository)
	if err != nil {
		return err
	}
	l := Location{Space: space, Repository: repository, Path: name, readable: true}
	commit, err := s.head(ctx, l)
	if fault.Is(err, fault.NotFound) {
		return nil // nothing was pushed yet
	}
	if err != nil {
		return err
	}
	if l.Home, err = s.repositories.Home(ctx, repository); err != nil {
		return err
	}
	found, err := s.repositories.Match(ctx, repository, commit, "**/"+name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := s.beginLook(ctx); err != nil {
		return err
	}
	defer s.looks.Release(1)
	left := maxLookedBytes
	for _, file := range found[:min(len(found), maxCatalogFiles)] {
		var documents []document.Document
		if left > 0 {
			data, err := s.repositories.ReadFile(ctx, repository, commit, file.Path, maxFile)
			if err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.TooLarge && fault.KindOf(err) != fault.Invalid {
				return err
			}
			left -= len(data)
			if documents, err = document.Parse(file.Path, data, document.Limits{Bytes: maxFile, Total: maxLookedValues, Expanded: maxTexts}); err != nil || len(documents) == 0 {
				continue // what can't be read is not suggested
			}
		}
		if err := fn(l, commit, file.Path, documents); err != nil {
			return err
		}
	}
	return nil
}

// repositoryAt gives the repository that an address is of, or lies in; "" when there is none that the caller may read.
func (s *Service) repositoryAt(ctx context.Context, address string) (string, error) {
	if t, err := s.ParseTarget(address); err == nil {
		may, err := s.mayRead(ctx, t.Repository)
		if !may || err != nil {
			return "", err
		}
		return t.Repository, nil
	}
	for _, p := range append(forgePages(address), forgePage{page: repositoryPage(address)}) {
		if repository, _, err := s.repositoryOf(ctx, p.page, s.mayRead); repository != "" || err != nil {
			return repository, err
		}
	}
	return "", nil
}
