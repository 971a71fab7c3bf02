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

// row is an entity as its table has it.
type row struct {
	Entity
	document []byte
	declared []document.Relation
	stored   string // declared, as the table has them; not everywhere
	path     string
}

const entityColumns = `e.ref, e.uid, e.space, e.source, e.path, e.owner, e.type, e.document, e.relations, e.etag, e.version, e.error,
e.git_commit, e.created, e.created_by, e.updated, e.updated_by, e.orphan`

func scanRow(r store.Row, more ...any) (row, error) {
	var e row
	var name, owner, text, relations string
	var created, updated, orphan int64
	err := r.Scan(append([]any{&name, &e.UID, &e.Space, &e.Source, &e.path, &owner, &e.Type, &text, &relations, &e.Etag, &e.Version, &e.Error,
		&e.Commit, &created, &e.CreatedBy, &updated, &e.UpdatedBy, &orphan}, more...)...)
	e.Orphan = orphan == 1
	if err != nil {
		return e, err
	}
	e.Ref, e.Owner, e.document = parseStored(name), parseStored(owner), []byte(text)
	e.Created, e.Updated = store.FromMicros(created), store.FromMicros(updated)
	if e.Document, err = document.FromJSON(e.document); err != nil {
		return e, fmt.Errorf("entity %s: %w", name, err)
	}
	e.Document.Origin.File, e.text = e.path, e.document
	e.declared, err = readRelations(relations)
	return e, err
}

func scanPlain(r store.Row) (row, error) { return scanRow(r) }

// parseStored reads a reference that this room wrote.
func parseStored(text string) ref.Entity {
	kind, rest, _ := strings.Cut(text, ":")
	namespace, name, _ := strings.Cut(rest, "/")
	return ref.Entity{Kind: kind, Namespace: namespace, Name: name}
}

// Relations are stored as [["ownedBy","group:default/a"], …].
func writeRelations(relations []document.Relation) (string, error) {
	pairs := make([][2]string, len(relations))
	for i, r := range relations {
		pairs[i] = [2]string{r.Type, r.Target.String()}
	}
	data, err := json.Marshal(pairs)
	return string(data), err
}

func readRelations(text string) ([]document.Relation, error) { return appendRelations(nil, text) }

// appendRelations appends those that are stored.
func appendRelations(to []document.Relation, text string) ([]document.Relation, error) {
	if relations, ok := plainRelations(to, text); ok {
		return relations, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		return nil, fmt.Errorf("read relations: %w", err)
	}
	for _, p := range pairs {
		to = append(to, document.Relation{Type: p[0], Target: parseStored(p[1])})
	}
	return to, nil
}

// plainRelations reads what has no escapes, which is all but little; each entity that is read or indexed comes by here.
func plainRelations(to []document.Relation, text string) ([]document.Relation, bool) {
	if strings.Contains(text, `\`) || !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") {
		return nil, false
	}
	relations := slices.Grow(to, strings.Count(text, "],")+1)
	for rest := text[1 : len(text)-1]; rest != ""; {
		pair, found := strings.CutPrefix(rest, `["`)
		kind, pair, split := strings.Cut(pair, `","`)
		target, after, ended := strings.Cut(pair, `"]`)
		if !found || !split || !ended {
			return nil, false
		}
		relations = append(relations, document.Relation{Type: kind, Target: parseStored(target)})
		if after != "" && (after[0] != ',' || len(after) == 1) {
			return nil, false
		}
		rest = strings.TrimPrefix(after, ",")
	}
	return relations, true
}

// fetch gives an entity to be changed; nil when there is none.
func fetch(ctx context.Context, tx *store.Tx, r ref.Entity) (*row, error) {
	e, err := scanRow(tx.QueryRow(ctx, `SELECT `+entityColumns+` FROM entities e WHERE e.ref = $1`+tx.ForUpdate(), r.String()))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(err, "read entity %s", r)
	}
	return &e, nil
}

const (
	insertEntity = `INSERT INTO entities (ref, uid, kind, namespace, space, source, path, owner, type, document, relations,
etag, version, error, git_commit, created, created_by, updated, updated_by)`
	// Of an entity that somebody else has made a moment ago no row is changed.
	replaceEntity = `ON CONFLICT (ref) DO UPDATE SET source = excluded.source, orphan = 0, path = excluded.path, owner = excluded.owner, type = excluded.type,
document = excluded.document, relations = excluded.relations, etag = excluded.etag, version = excluded.version, error = excluded.error,
git_commit = excluded.git_commit, updated = excluded.updated, updated_by = excluded.updated_by WHERE entities.uid = excluded.uid`
)

// save writes an entity.
func save(ctx context.Context, tx *store.Tx, e row) error {
	relations, err := writeRelations(e.declared)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, insertEntity+` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) `+replaceEntity,
		e.Ref.String(), e.UID, e.Ref.Kind, e.Ref.Namespace, e.Space, e.Source, e.path, e.Owner.String(), e.Type, string(e.document), relations,
		e.Etag, e.Version, e.Error, e.Commit, store.Micros(e.Created), e.CreatedBy, store.Micros(e.Updated), e.UpdatedBy)
	if err != nil {
		return fault.Wrap(err, "write entity %s", e.Ref)
	}
	if n == 0 { // it was not there a moment ago
		return &fault.Error{Kind: fault.Conflict, Message: e.Ref.String() + " was declared by somebody else at the same moment; try again", Err: ErrThere}
	}
	return nil
}

// drop removes an entity and all but its versions.
func drop(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	for _, statement := range []string{
		`DELETE FROM entities WHERE ref = $1`, `DELETE FROM entity_statuses WHERE ref = $1`,
	} {
		if _, err := tx.Exec(ctx, statement, r.String()); err != nil {
			return fault.Wrap(err, "delete entity %s", r)
		}
	}
	return nil
}

// nextVersion counts over deletions.
func nextVersion(ctx context.Context, tx *store.Tx, r ref.Entity) (next int, err error) {
	err = tx.QueryRow(ctx, `SELECT COALESCE(MAX(version), 0) + 1 FROM entity_versions WHERE ref = $1`, r.String()).Scan(&next)
	return next, fault.Wrap(err, "count the versions of %s", r)
}

func addVersion(ctx context.Context, tx *store.Tx, e row, v Version, text []byte) error {
	_, err := tx.Exec(ctx, insertVersion+` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		e.Ref.String(), v.Number, e.UID, e.Space, v.Source, string(v.Action), string(text), v.Commit, v.Actor, store.Micros(v.Time), v.Entry)
	return fault.Wrap(err, "write version %d of %s", v.Number, e.Ref)
}

// bySource gives the entities that a source in a space has brought, with the file of each.
func bySource(ctx context.Context, tx *store.Tx, space, source string) (map[ref.Entity]string, error) {
	rows, err := tx.Query(ctx, `SELECT ref, path FROM entities WHERE source = $1 AND space = $2`, source, space)
	found := map[ref.Entity]string{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var name, path string
		err := r.Scan(&name, &path)
		found[parseStored(name)] = path
		return struct{}{}, err
	})
	return found, fault.Wrap(err, "list the entities of %s", source)
}

// clip bounds texts that come from documents.
func clip(text string) string {
	const most = 4000
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// numbered gives placeholders from $first on, and the arguments for them.
func numbered(first int, values []string) (string, []any) {
	var b strings.Builder
	args := make([]any, len(values))
	for i, value := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
		args[i] = value
	}
	return b.String(), args
}
