package catalog

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Placed is an entity and the file that declares it.
type Placed struct {
	Ref         ref.Entity
	Space       string
	Branch      string            // "" for the default one
	Path        string            // of the file
	Annotations map[string]string // where the document has one with the prefix that was asked for; else nil
}

// Placed gives the entities that the files of a repository (NAMESPACE/NAME) declare, by reference, at most limit after one. The
// annotations are those of documents in which a text occurs that they begin with. It asks for no right.
func (s *Service) Placed(ctx context.Context, repository, annotations, after string, limit int) (all []Placed, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT e.ref, e.space, l.branch, e.path, CASE WHEN e.document LIKE $1 THEN e.document ELSE '' END
			FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id WHERE l.repository = $2 AND e.ref > $3 ORDER BY e.ref LIMIT $4`,
			"%"+annotations+"%", strings.ToLower(repository), after, limit)
		all, err = store.Collect(rows, err, func(r store.Row) (p Placed, err error) {
			var name, text string
			if err := r.Scan(&name, &p.Space, &p.Branch, &p.Path, &text); err != nil {
				return p, err
			}
			if text != "" {
				d, err := document.FromJSON([]byte(text))
				if err != nil {
					return p, err
				}
				p.Annotations = d.Metadata.Annotations
			}
			p.Ref, err = ref.Parse(name, "", "")
			return p, err
		})
		return err
	})
	return all, fault.Wrap(err, "list what %s declares", repository)
}

// Whence gives the repository whose file declares an entity, "" for one that was applied, and tells whether a text, such as the
// beginning of an annotation, occurs in its document. One that is gone is declared nowhere. It asks for no right.
func (s *Service) Whence(ctx context.Context, tx *store.Tx, r ref.Entity, text string) (repository string, says bool, err error) {
	var has int
	err = tx.QueryRow(ctx, `SELECT COALESCE(l.repository, ''), CASE WHEN e.document LIKE $1 THEN 1 ELSE 0 END
		FROM entities e LEFT JOIN locations l ON e.source = '`+locationPrefix+`' || l.id WHERE e.ref = $2`, "%"+text+"%", r.String()).Scan(&repository, &has)
	if fault.Is(err, fault.NotFound) {
		return "", false, nil
	}
	return repository, has == 1, fault.Wrap(err, "find where %s is declared", r)
}

// AtVersion gives an entity's document as a version had it, and that version. It needs entity:read in the space that the entity
// was in then; otherwise, and where there is no such version or it was deleted, it is fault.NotFound.
func (s *Service) AtVersion(ctx context.Context, r ref.Entity, number int) (document.Document, Version, error) {
	visible, err := s.access.Spaces(ctx, "entity:read")
	if err != nil {
		return document.Document{}, Version{}, err
	}
	var v storedVersion
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		row := tx.QueryRow(ctx, `SELECT `+versionColumns+` FROM `+versionTables+` WHERE v.ref = $1 AND v.version = $2`, r.String(), number)
		v, err = scanVersion(row)
		return err
	})
	if err == nil && (!visible.Has(v.space) || v.document == nil) {
		err = fault.Errorf(fault.NotFound, "it is hidden")
	}
	if fault.Is(err, fault.NotFound) {
		return document.Document{}, Version{}, fault.Errorf(fault.NotFound, "%s has no version %d, or you may not see it", r, number)
	}
	if err != nil {
		return document.Document{}, Version{}, fault.Wrap(err, "read version %d of %s", number, r)
	}
	return *v.document, v.Version, nil
}
