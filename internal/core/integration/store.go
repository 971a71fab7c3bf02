package integration

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
	return store.Migrations{Room: "integration", FS: sub}
}

const columns = "SELECT name, space, spec, version, state, reason, health, looked, since FROM integrations"

func scan(row store.Row) (i Integration, err error) {
	var spec, health string
	var looked, since int64
	if err := row.Scan(&i.Name, &i.Space, &spec, &i.version, &i.State, &i.Reason, &health, &looked, &since); err != nil {
		return i, err
	}
	if err := json.Unmarshal([]byte(spec), &i.Spec); err != nil {
		return i, fault.Wrap(err, "read integration %s", i.Name)
	}
	if err := json.Unmarshal([]byte(health), &i.Health); err != nil {
		return i, fault.Wrap(err, "read the health of integration %s", i.Name)
	}
	i.Looked, i.Since = store.FromMicros(looked), store.FromMicros(since)
	return i, nil
}

func byName(ctx context.Context, tx *store.Tx, name string) (Integration, error) {
	return store.One(tx.QueryRow(ctx, columns+" WHERE name = $1", name), scan, "integration %s", name)
}

// all gives every integration, for the reconciler.
func all(ctx context.Context, tx *store.Tx) ([]Integration, error) {
	rows, err := tx.Query(ctx, columns+" ORDER BY name")
	return store.Collect(rows, err, scan)
}

func listed(ctx context.Context, tx *store.Tx, visible access.Set, space string, part page.Request) ([]Integration, error) {
	w := &store.Where{}
	if !visible.All {
		w.Add(w.In("space", visible.List()))
	}
	w.Equal("space", space)
	w.After("name", part.Cursor)
	rows, err := tx.Query(ctx, columns+w.String()+"ORDER BY name LIMIT "+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scan)
}
