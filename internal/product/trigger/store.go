package trigger

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "trigger", FS: files}
}

func scanTrigger(row store.Row) (Trigger, error) {
	var t Trigger
	var name, spec string
	var updated int64
	if err := row.Scan(&name, &t.Space, &spec, &updated); err != nil {
		return t, err
	}
	t.Updated = store.FromMicros(updated)
	var err error
	if t.Ref, err = ref.Parse(name, "trigger", ref.DefaultNamespace); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(spec), &t.Spec)
}

func getTrigger(ctx context.Context, tx *store.Tx, name string) (Trigger, error) {
	return store.One(tx.QueryRow(ctx, "SELECT ref, space, spec, updated FROM triggers WHERE ref = $1", name), scanTrigger, "trigger %s", name)
}

func scanEvent(row store.Row) (Event, error) {
	var e Event
	var created int64
	err := row.Scan(&e.ID, &e.Trigger, &e.Repository, &e.Ref, &e.Commit, &e.Outcome, &e.Message, &e.Run, &created)
	e.Created = store.FromMicros(created)
	return e, err
}
