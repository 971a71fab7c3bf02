package delivery

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
	return store.Migrations{Room: "delivery", FS: files}
}

const applicationColumns = "ref, space, repository, branch, path, spec, stack, component, synced, failed, message, deleted, updated"

func scanApplication(row store.Row) (Application, error) {
	var a Application
	var name, spec, stack, component string
	var deleted int
	var updated int64
	err := row.Scan(&name, &a.Space, &a.Repository, &a.Branch, &a.Path, &spec, &stack, &component, &a.Synced, &a.Failed, &a.Message, &deleted, &updated)
	if err != nil {
		return a, err
	}
	a.Deleted, a.Updated = deleted == 1, store.FromMicros(updated)
	if a.Ref, err = ref.Parse(name, "application", ref.DefaultNamespace); err != nil {
		return a, err
	}
	for text, into := range map[string]*ref.Entity{stack: &a.Stack, component: &a.Component} {
		if text == "" {
			continue
		}
		if *into, err = ref.Parse(text, "", ref.DefaultNamespace); err != nil {
			return a, err
		}
	}
	return a, json.Unmarshal([]byte(spec), &a.Spec)
}

func getApplication(ctx context.Context, tx *store.Tx, name, lock string) (Application, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+applicationColumns+" FROM applications WHERE ref = $1"+lock, name), scanApplication, "application %s", name)
}

func findApplications(ctx context.Context, tx *store.Tx, where string, args ...any) ([]Application, error) {
	rows, err := tx.Query(ctx, "SELECT "+applicationColumns+" FROM applications WHERE "+where+" ORDER BY ref", args...)
	return store.Collect(rows, err, scanApplication)
}

const revisionColumns = "id, commit_id, manifests, run, state, message, created"

func scanRevision(row store.Row) (Revision, error) {
	var r Revision
	var created int64
	err := row.Scan(&r.ID, &r.Commit, &r.Manifests, &r.Run, &r.State, &r.Message, &created)
	r.Created = store.FromMicros(created)
	return r, err
}

func getRevision(ctx context.Context, tx *store.Tx, app, id string) (Revision, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+revisionColumns+" FROM application_revisions WHERE application = $1 AND id = $2", app, id),
		scanRevision, "revision %s of %s", id, app)
}

// lastGood gives the newest revision that became healthy.
func lastGood(ctx context.Context, tx *store.Tx, app string) (Revision, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+revisionColumns+" FROM application_revisions WHERE application = $1 AND state = 'succeeded' ORDER BY id DESC LIMIT 1", app),
		scanRevision, "a revision of %s that was healthy", app)
}
