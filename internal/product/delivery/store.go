package delivery

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/page"
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

// What the column deleted of an application says.
const (
	wanted      = 0
	leaving     = 1 // its document is gone, its objects are still to be looked at
	leftObjects = 2 // its objects stay, as do its name and its namespace: for its space, until they are taken up again
)

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
	a.Deleted, a.Updated = deleted != wanted, store.FromMicros(updated)
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

// listApplications gives a page of those in spaces (all of them when all is set), by reference.
func listApplications(ctx context.Context, tx *store.Tx, part page.Request, readable access.Set) ([]Application, error) {
	w := &store.Where{}
	w.Add("deleted = 0")
	if !readable.All {
		w.Add(w.In("space", readable.List()))
	}
	w.After("ref", part.Cursor)
	rows, err := tx.Query(ctx, "SELECT "+applicationColumns+" FROM applications"+w.String()+" ORDER BY ref LIMIT "+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scanApplication)
}

const revisionColumns = "id, commit_id, mark, manifests, way, run, state, message, created"

func scanRevision(row store.Row) (Revision, error) {
	var r Revision
	var created int64
	err := row.Scan(&r.ID, &r.Commit, &r.Mark, &r.Manifests, &r.Way, &r.Run, &r.State, &r.Message, &created)
	r.Created = store.FromMicros(created)
	return r, err
}

func getRevision(ctx context.Context, tx *store.Tx, app, id string) (Revision, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+revisionColumns+" FROM application_revisions WHERE application = $1 AND id = $2", app, id),
		scanRevision, "revision %s of %s", id, app)
}

// lastGood gives the newest revision that became healthy, the zero Revision when none did.
func lastGood(ctx context.Context, tx *store.Tx, app string) (Revision, error) {
	return newest(ctx, tx, "application = $1 AND state = 'succeeded'", app)
}

// latest gives the newest revision, the zero Revision before the first.
func latest(ctx context.Context, tx *store.Tx, app string) (Revision, error) {
	return newest(ctx, tx, "application = $1", app)
}

// revisionOf gives what a run has recorded, the zero Revision when it has not.
func revisionOf(ctx context.Context, tx *store.Tx, runID string) (Revision, error) {
	return newest(ctx, tx, "run = $1", runID)
}

func newest(ctx context.Context, tx *store.Tx, where, arg string) (Revision, error) {
	rows, err := tx.Query(ctx, "SELECT "+revisionColumns+" FROM application_revisions WHERE "+where+" ORDER BY id DESC LIMIT 1", arg)
	list, err := store.Collect(rows, err, scanRevision)
	if err != nil || len(list) == 0 {
		return Revision{}, err
	}
	return list[0], nil
}

// trim forgets all but the newest revisions, and never the one to go back to.
func trim(ctx context.Context, tx *store.Tx, a Application) error {
	good, err := lastGood(ctx, tx, a.Ref.String())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM application_revisions WHERE application = $1 AND id <> $2
 AND id NOT IN (SELECT id FROM application_revisions WHERE application = $1 ORDER BY id DESC LIMIT $3)`, a.Ref.String(), good.ID, a.Spec.history())
	return err
}
