package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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

// ofLocation is the condition that location l is the source of a row, by the key of locations: what a source says alone has all
// locations read for each row.
func ofLocation(row string) string {
	return fmt.Sprintf(`l.id = SUBSTR(%[1]s.source, %[2]d) AND %[1]s.source = '%[3]s' || l.id`, row, len(locationPrefix)+1, locationPrefix)
}

// DeclaredIn gives the references after one, in order, of the entities that a repository (NAMESPACE/NAME) declares and that are
// of some kinds, or in whose documents a text occurs, such as the beginning of an annotation. It asks for no right.
func (s *Service) DeclaredIn(ctx context.Context, repository, annotation string, kinds []string, after string, limit int) (names []string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(5, kinds)
		rows, err := tx.Query(ctx, `SELECT e.ref FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id
			WHERE l.repository = $1 AND e.ref > $2 AND (e.kind IN (`+in+`) OR `+store.Has("e.document", "$3")+`) ORDER BY e.ref LIMIT $4`,
			append([]any{strings.ToLower(repository), after, annotation, limit}, args...)...)
		names, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
		return err
	})
	return names, fault.Wrap(err, "list what %s declares", repository)
}

// LastDeclaredIn gives the repositories whose files declared entities last that are gone. It asks for no right.
func (s *Service) LastDeclaredIn(ctx context.Context, gone []string) (repositories []string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return among(tx.Dialect(), nil, gone, func(in string, args []any) error {
			rows, err := tx.Query(ctx, `SELECT DISTINCT l.repository FROM entity_versions v JOIN locations l ON `+ofLocation("v")+`
				WHERE v.ref `+in+` AND v.version = (SELECT MAX(w.version) FROM entity_versions w WHERE w.ref = v.ref)`, args...)
			found, err := store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
			repositories = append(repositories, found...)
			return err
		})
	})
	slices.Sort(repositories)
	return slices.Compact(repositories), fault.Wrap(err, "find where entities were declared")
}

// says fills in what a stored entity says.
func (p *Placed) says(name, text string) (err error) {
	p.Ref = parseStored(name)
	if text == "" {
		return nil
	}
	var d struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	err = json.Unmarshal([]byte(text), &d)
	p.Annotations = d.Metadata.Annotations
	return err
}

// Declared is an entity and where it is declared.
type Declared struct {
	Placed
	Repository string // NAMESPACE/NAME; "" for one that was applied
}

// Declared gives those of many entities that are there. The annotations are those of documents in which a text occurs that they
// begin with. It asks for no right.
func (s *Service) Declared(ctx context.Context, names []string, annotation string) (all []Declared, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return among(tx.Dialect(), []any{annotation}, names, func(in string, args []any) error {
			rows, err := tx.Query(ctx, `SELECT e.ref, e.space, e.path, COALESCE(l.repository, ''), COALESCE(l.branch, ''), CASE WHEN `+store.Has("e.document", "$1")+` THEN e.document ELSE '' END
				FROM entities e LEFT JOIN locations l ON `+ofLocation("e")+` WHERE e.ref `+in, args...)
			found, err := store.Collect(rows, err, func(r store.Row) (d Declared, err error) {
				var name, text string
				if err := r.Scan(&name, &d.Space, &d.Path, &d.Repository, &d.Branch, &text); err != nil {
					return d, err
				}
				return d, d.says(name, text)
			})
			all = append(all, found...)
			return err
		})
	})
	return all, fault.Wrap(err, "find where entities are declared")
}

// CountDeclared counts the entities that a repository declares, up to a number. It asks for no right.
func (s *Service) CountDeclared(ctx context.Context, repository string, most int) (n int, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id WHERE l.repository = $1 LIMIT $2) x`,
			strings.ToLower(repository), most).Scan(&n)
	})
	return n, fault.Wrap(err, "count what %s declares", repository)
}

// CountPlain counts, up to a number, the entities that files of one folder declare, not those of folders in it: of some kinds,
// and without the text of an annotation. It asks for no right.
func (s *Service) CountPlain(ctx context.Context, repository, branch, folder, annotation string, kinds []string, most int) (n int, err error) {
	inside := ""
	if folder != "" {
		inside = folder + "/"
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(6, kinds)
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id
			WHERE l.repository = $1 AND l.branch = $2 AND SUBSTR(e.path, 1, LENGTH($3)) = $3 AND SUBSTR(e.path, LENGTH($3) + 1) NOT LIKE '%/%' AND NOT `+store.Has("e.document", "$4")+` AND e.kind IN (`+in+`) LIMIT $5) x`,
			append([]any{strings.ToLower(repository), branch, inside, annotation, most}, args...)...).Scan(&n)
	})
	return n, fault.Wrap(err, "count what %s declares in /%s", repository, folder)
}

// Whence gives the repository whose file declares an entity, "" for one that was applied, and tells whether a text, such as the
// beginning of an annotation, occurs in its document. One that is gone is declared nowhere. It asks for no right.
func (s *Service) Whence(ctx context.Context, tx *store.Tx, r ref.Entity, text string) (repository string, says bool, err error) {
	var has int
	err = tx.QueryRow(ctx, `SELECT COALESCE(l.repository, ''), CASE WHEN `+store.Has("e.document", "$1")+` THEN 1 ELSE 0 END
		FROM entities e LEFT JOIN locations l ON `+ofLocation("e")+` WHERE e.ref = $2`, text, r.String()).Scan(&repository, &has)
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
