package directory

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "directory", FS: sub}
}

const columns = "SELECT name, space, spec, version, generation, state, reason, looked, since, written, held, digest, found FROM directories"

func scan(row store.Row) (d Directory, err error) {
	var spec, found string
	var looked, since, written, held int64
	if err := row.Scan(&d.Name, &d.Space, &spec, &d.version, &d.generation, &d.State, &d.Reason, &looked, &since, &written, &held, &d.digest, &found); err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(spec), &d.Spec); err != nil {
		return d, fault.Wrap(err, "read directory %s", d.Name)
	}
	if err := json.Unmarshal([]byte(found), &d.Found); err != nil {
		return d, fault.Wrap(err, "read what directory %s has", d.Name)
	}
	d.Looked, d.Since, d.written, d.held = store.FromMicros(looked), store.FromMicros(since), store.FromMicros(written), store.FromMicros(held)
	return d, nil
}

// byName gives a directory, and holds it where the transaction writes.
func byName(ctx context.Context, tx *store.Tx, name string) (Directory, error) {
	return store.One(tx.QueryRow(ctx, columns+" WHERE name = $1"+tx.ForUpdate(), name), scan, "directory %s", name)
}

func save(ctx context.Context, tx *store.Tx, d Directory) error {
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		return err
	}
	found, err := json.Marshal(d.Found)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO directories (name, space, spec, version, generation, state, reason, looked, since, written, held, digest, found)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)
 ON CONFLICT (name) DO UPDATE SET space=excluded.space, spec=excluded.spec, version=excluded.version, generation=excluded.generation,
 state=excluded.state, reason=excluded.reason, looked=excluded.looked, since=excluded.since, written=excluded.written, held=excluded.held, digest=excluded.digest, found=excluded.found`,
		d.Name, d.Space, string(spec), d.version, d.generation, string(d.State), d.Reason, store.Micros(d.Looked), store.Micros(d.Since), store.Micros(d.written), store.Micros(d.held), d.digest, string(found))
	return fault.Wrap(err, "keep directory %s", d.Name)
}

// forget deletes all that is kept of a directory.
func forget(ctx context.Context, tx *store.Tx, name string) error {
	for _, statement := range []string{
		"DELETE FROM directory_members WHERE directory = $1", "DELETE FROM directory_resources WHERE directory = $1", "DELETE FROM directories WHERE name = $1",
	} {
		if _, err := tx.Exec(ctx, statement, name); err != nil {
			return fault.Wrap(err, "forget directory %s", name)
		}
	}
	return nil
}

// all gives every directory, for the reconciler.
func all(ctx context.Context, tx *store.Tx) ([]Directory, error) {
	rows, err := tx.Query(ctx, columns+" ORDER BY name")
	return store.Collect(rows, err, scan)
}

func listed(ctx context.Context, tx *store.Tx, visible access.Set, space string, part page.Request) ([]Directory, error) {
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Equal("space", space)
	w.After("name", part.Cursor)
	rows, err := tx.Query(ctx, columns+w.String()+"ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scan)
}

// count fills in what is there of a directory that is written to.
func (d *Directory) count(ctx context.Context, tx *store.Tx) error {
	if d.Protocol() != BySCIM {
		return nil
	}
	err := tx.QueryRow(ctx, `SELECT COALESCE(SUM(CASE WHEN kind = 'User' AND active = 1 AND gone = 0 THEN 1 ELSE 0 END), 0),
 COALESCE(SUM(CASE WHEN kind = 'User' AND active = 0 AND gone = 0 THEN 1 ELSE 0 END), 0),
 COALESCE(SUM(CASE WHEN kind = 'Group' AND gone = 0 THEN 1 ELSE 0 END), 0),
 COALESCE(SUM(CASE WHEN problem <> '' THEN 1 ELSE 0 END), 0) FROM directory_resources WHERE directory = $1`, d.Name).
		Scan(&d.People, &d.Inactive, &d.Groups, &d.Wrong)
	if err != nil {
		return fault.Wrap(err, "count what directory %s has", d.Name)
	}
	d.Problems = nil
	if d.Wrong == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT label, problem FROM directory_resources WHERE directory = $1 AND problem <> '' ORDER BY kind, label LIMIT $2`, d.Name, mostProblems)
	d.Problems, err = store.Collect(rows, err, func(r store.Row) (p Problem, err error) { return p, r.Scan(&p.What, &p.Message) })
	return fault.Wrap(err, "read the problems of directory %s", d.Name)
}
