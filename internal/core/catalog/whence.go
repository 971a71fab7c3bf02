package catalog

import (
	"context"
	"encoding/json"
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

// PlacedFile is a file of a repository that declares entities.
type PlacedFile struct {
	Location string // id
	Branch   string // "" for the default one
	Path     string
	Plain    int // entities of the kinds that were asked for whose annotations don't begin as was asked
	Says     int // entities whose annotations do
}

// PlacedFiles gives the files of a repository (NAMESPACE/NAME) that declare entities of some kinds, or entities that have an
// annotation: those in which a text occurs that it begins with. It asks for no right.
func (s *Service) PlacedFiles(ctx context.Context, repository, annotation string, kinds []string) (all []PlacedFile, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(3, kinds)
		rows, err := tx.Query(ctx, `SELECT l.id, l.branch, e.path, SUM(CASE WHEN e.kind IN (`+in+`) AND e.document NOT LIKE $1 THEN 1 ELSE 0 END), SUM(CASE WHEN e.document LIKE $1 THEN 1 ELSE 0 END)
			FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id WHERE l.repository = $2 GROUP BY l.id, l.branch, e.path ORDER BY l.id, e.path`,
			append([]any{"%" + annotation + "%", strings.ToLower(repository)}, args...)...)
		all, err = store.Collect(rows, err, func(r store.Row) (f PlacedFile, err error) {
			return f, r.Scan(&f.Location, &f.Branch, &f.Path, &f.Plain, &f.Says)
		})
		return err
	})
	return slices.DeleteFunc(all, func(f PlacedFile) bool { return f.Plain+f.Says == 0 }), fault.Wrap(err, "list the files of %s that declare something", repository)
}

// Placed gives the entities that a file declares, by reference, at most limit after one. The annotations are those of documents
// in which a text occurs that they begin with. It asks for no right.
func (s *Service) Placed(ctx context.Context, file PlacedFile, annotation, after string, limit int) (all []Placed, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref, space, CASE WHEN document LIKE $1 THEN document ELSE '' END
			FROM entities WHERE source = $2 AND path = $3 AND ref > $4 ORDER BY ref LIMIT $5`, "%"+annotation+"%", locationPrefix+file.Location, file.Path, after, limit)
		all, err = store.Collect(rows, err, func(r store.Row) (Placed, error) {
			p := Placed{Branch: file.Branch, Path: file.Path}
			var name, text string
			if err := r.Scan(&name, &p.Space, &text); err != nil {
				return p, err
			}
			return p, p.says(name, text)
		})
		return err
	})
	return all, fault.Wrap(err, "list what %s declares", file.Path)
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

// Declared gives those of many entities that are there, as Placed does. It asks for no right.
func (s *Service) Declared(ctx context.Context, names []string, annotation string) (all []Declared, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return inParts(names, func(part []string) error {
			in, args := numbered(2, part)
			rows, err := tx.Query(ctx, `SELECT e.ref, e.space, e.path, COALESCE(l.repository, ''), COALESCE(l.branch, ''), CASE WHEN e.document LIKE $1 THEN e.document ELSE '' END
				FROM entities e LEFT JOIN locations l ON e.source = '`+locationPrefix+`' || l.id WHERE e.ref IN (`+in+`)`, append([]any{"%" + annotation + "%"}, args...)...)
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

var likeEscapes = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// CountPlain counts, up to a number, the entities that files of one folder declare, not those of folders in it: of some kinds,
// and without the annotation, as PlacedFiles has it. It asks for no right.
func (s *Service) CountPlain(ctx context.Context, repository, branch, folder, annotation string, kinds []string, most int) (n int, err error) {
	inside := ""
	if folder != "" {
		inside = folder + "/"
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		in, args := numbered(7, kinds)
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM locations l JOIN entities e ON e.source = '`+locationPrefix+`' || l.id
			WHERE l.repository = $1 AND l.branch = $2 AND SUBSTR(e.path, 1, LENGTH($3)) = $3 AND e.path NOT LIKE $4 ESCAPE '\' AND e.document NOT LIKE $5 AND e.kind IN (`+in+`) LIMIT $6) x`,
			append([]any{strings.ToLower(repository), branch, inside, likeEscapes.Replace(inside) + "%/%", "%" + annotation + "%", most}, args...)...).Scan(&n)
	})
	return n, fault.Wrap(err, "count what %s declares in /%s", repository, folder)
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
