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
	declaredMost = 5_000 // entities of one repository that are looked at
	touchedMost  = 100   // that are named
	wholeMost    = 20    // that are named where it is not known which files changed
)

// Declared is an entity that a file of a repository declares.
type Declared struct {
	Ref  string
	Path string // of the file
}

// Touched gives the entities of a space that a change in a repository (NAMESPACE/NAME) touches, at most 100: those that
// are declared in the nearest folder above a changed file in which any are declared. files gives the changed files; it is
// asked only where entities are declared in more than the root. With nil for files, or too many of them, they are all, if
// those are no more than 20. It asks for no right.
func (s *Service) Touched(ctx context.Context, space, repository string, files func() ([]string, error)) ([]string, error) {
	var all []Declared
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT e.ref, e.path FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id
			WHERE l.repository = $1 AND e.space = $2 ORDER BY e.ref LIMIT $3`, strings.ToLower(repository), space, declaredMost)
		all, err = store.Collect(rows, err, func(r store.Row) (d Declared, err error) {
			err = r.Scan(&d.Ref, &d.Path)
			return d, err
		})
		return err
	})
	if err != nil || len(all) == 0 {
		return nil, fault.Wrap(err, "find what a change in %s touches", repository)
	}
	if slices.ContainsFunc(all, func(d Declared) bool { return path.Dir(d.Path) != "." }) {
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
			refs := touched(all, changed)
			return refs[:min(len(refs), touchedMost)], nil
		case len(all) > wholeMost:
			return nil, nil
		}
	}
	var refs []string
	for _, d := range all[:min(len(all), touchedMost)] {
		refs = append(refs, d.Ref)
	}
	return refs, nil
}

// touched gives the entities that a change of some files touches.
func touched(all []Declared, files []string) (refs []string) {
	byFolder := map[string][]string{}
	for _, d := range all {
		folder := path.Dir(d.Path)
		byFolder[folder] = append(byFolder[folder], d.Ref)
	}
	for _, file := range files {
		for folder := path.Dir(file); ; folder = path.Dir(folder) {
			if of, ok := byFolder[folder]; ok {
				refs = append(refs, of...)
				byFolder[folder] = nil // it is named already, and nearer than those above it
				break
			}
			if folder == "." || folder == "/" {
				break
			}
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}
