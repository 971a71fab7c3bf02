package catalog

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const locationColumns = `id, space, repository, path, branch, parent, readable, trusted, generation, git_commit, error, details, created, created_by, refreshed`

func scanLocation(r store.Row) (l Location, err error) {
	var parent, trusted, details string
	var readable, created, refreshed int64
	err = r.Scan(&l.ID, &l.Space, &l.Repository, &l.Path, &l.Branch, &parent, &readable, &trusted, &l.generation, &l.Commit, &l.Error, &details,
		&created, &l.CreatedBy, &refreshed)
	if err != nil {
		return l, err
	}
	l.Parent, l.readable = parseStored(parent), readable == 1
	l.Created, l.Refreshed = store.FromMicros(created), store.FromMicros(refreshed)
	if err := json.Unmarshal([]byte(trusted), &l.Trusted); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(details), &l.Details)
}

func locationByID(ctx context.Context, tx *store.Tx, id string) (Location, error) {
	return store.One(tx.QueryRow(ctx, `SELECT `+locationColumns+` FROM locations WHERE id = $1`+tx.ForUpdate(), id), scanLocation, "location %s", clip(id))
}

func findLocation(ctx context.Context, tx *store.Tx, space string, t Target) (Location, error) {
	row := tx.QueryRow(ctx, `SELECT `+locationColumns+` FROM locations WHERE space = $1 AND repository = $2 AND path = $3 AND branch = $4`+tx.ForUpdate(),
		space, t.Repository, t.Path, t.Branch)
	return store.One(row, scanLocation, "location %s:%s", t.Repository, t.Path)
}

func saveLocation(ctx context.Context, tx *store.Tx, l Location) error {
	trusted, err := json.Marshal(append([]string{}, l.Trusted...))
	if err != nil {
		return err
	}
	details, err := json.Marshal(append([]fault.Detail{}, l.Details...))
	if err != nil {
		return err
	}
	readable := 0
	if l.readable {
		readable = 1
	}
	_, err = tx.Exec(ctx, `INSERT INTO locations (`+locationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, readable = excluded.readable, trusted = excluded.trusted, generation = excluded.generation,
git_commit = excluded.git_commit, error = excluded.error, details = excluded.details, refreshed = excluded.refreshed`,
		l.ID, l.Space, l.Repository, l.Path, l.Branch, l.Parent.String(), readable, string(trusted), l.generation, l.Commit, clip(l.Error), string(details),
		store.Micros(l.Created), l.CreatedBy, store.Micros(l.Refreshed))
	return fault.Wrap(err, "write location %s", l)
}

// locationsOf gives the ids of the locations of a repository that a push to a branch may change; "" is any branch.
func locationsOf(ctx context.Context, tx *store.Tx, repository, branch string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM locations WHERE repository = $1 AND ($2 = '' OR branch = '' OR branch = $2) ORDER BY id`, repository, branch)
	ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	return ids, fault.Wrap(err, "find the locations of %s", repository)
}
