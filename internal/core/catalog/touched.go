package catalog

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what is said to be touched.
const (
	touchedMost = 100 // that are named
	wholeMost   = 20  // that are named where it is not known which files changed
)

// declaring is a file from which a location takes entities.
type declaring struct{ location, path string }

// Touched gives the entities of a space that a change in a repository (NAMESPACE/NAME) touches, at most 100: those that
// are declared in the nearest folder above a changed file in which any are declared. files gives the changed files; it is
// asked only where entities are declared in more than the root. With nil for files, or too many of them, they are all, if
// those are no more than 20. It asks for no right.
func (s *Service) Touched(ctx context.Context, space, repository string, files func() ([]string, error)) ([]string, error) {
	var all []declaring
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT l.id, f.path FROM locations l JOIN location_files f ON f.location = l.id
			WHERE l.repository = $1 AND l.space = $2 ORDER BY l.id, f.path LIMIT $3`, strings.ToLower(repository), space, maxFiles)
		all, err = store.Collect(rows, err, func(r store.Row) (d declaring, err error) { return d, r.Scan(&d.location, &d.path) })
		return err
	})
	if err != nil || len(all) == 0 {
		return nil, fault.Wrap(err, "find what a change in %s touches", repository)
	}
	most := touchedMost
	if slices.ContainsFunc(all, func(d declaring) bool { return path.Dir(d.path) != "." }) {
		known := files != nil
		var changed []string
		if known {
			changed, err = files()
			known = !fault.Is(err, fault.TooLarge) && !fault.Is(err, fault.NotFound)
		}
		switch {
		case known && err != nil:
			return nil, err
		case known:
			all = touched(all, changed)
		default:
			most = wholeMost
		}
	}
	refs, err := s.declaredIn(ctx, space, all)
	if err != nil {
		return nil, fault.Wrap(err, "find what a change in %s touches", repository)
	}
	if most == wholeMost && len(refs) > most {
		return nil, nil
	}
	return refs[:min(len(refs), most)], nil
}

// declaredIn gives the entities that files declare, by reference; those of the last file of too many may be left out.
func (s *Service) declaredIn(ctx context.Context, space string, files []declaring) (refs []string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		for _, f := range files {
			if len(refs) > touchedMost {
				break
			}
			rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE source = $1 AND path = $2 AND space = $3 LIMIT $4`, locationPrefix+f.location, f.path, space, touchedMost+1)
			some, err := store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
			if err != nil {
				return err
			}
			refs = append(refs, some...)
		}
		return nil
	})
	slices.Sort(refs)
	return slices.Compact(refs), err
}

// touched gives the files of which some of the changed ones are nearest.
func touched(all []declaring, changed []string) (near []declaring) {
	byFolder := map[string][]declaring{}
	for _, d := range all {
		folder := path.Dir(d.path)
		byFolder[folder] = append(byFolder[folder], d)
	}
	for _, file := range changed {
		for folder := path.Dir(file); ; folder = path.Dir(folder) {
			if of, ok := byFolder[folder]; ok {
				near = append(near, of...)
				byFolder[folder] = nil // it is named already, and nearer than those above it
				break
			}
			if folder == "." || folder == "/" {
				break
			}
		}
	}
	return near
}
