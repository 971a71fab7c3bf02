package repository

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// importTask is an import with what only its worker knows.
type importTask struct {
	Import
	sealed, actor, cause string
	large                string // the references whose files of Git LFS are all here
}

func insertImport(ctx context.Context, tx *store.Tx, id string, n NewImport, sealed string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_imports (repository, url, username, sealed, secret, every, state, attempts, due, error, fetched, refs, bytes, large, actor, cause)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, '', 0, 0, 0, '', $9, $10)`,
		id, n.URL, n.Username, sealed, n.Secret, n.Every.Microseconds(), ImportWaiting, now, actor.From(ctx).ID, ledger.Cause(ctx))
	return err
}

// dueImports gives some imports that are due, of repositories that are there.
func dueImports(ctx context.Context, tx *store.Tx, now time.Time) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT i.repository FROM repository_imports i JOIN repositories r ON r.id = i.repository
		WHERE i.due > 0 AND i.due <= $1 AND r.deleted = 0 ORDER BY i.due LIMIT 50`, store.Micros(now))
	return store.Collect(rows, err, scanText)
}

// importOf gives an import, which stays as it is until the transaction ends.
func importOf(ctx context.Context, tx *store.Tx, id string) (importTask, error) {
	return store.One(tx.QueryRow(ctx, `SELECT url, username, sealed, secret, every, state, attempts, due, error, fetched, large, actor, cause
		FROM repository_imports WHERE repository = $1`+tx.ForUpdate(), id), scanImport, "import of %s", id)
}

// takeImport gives an import that is due; NotFound when it is not.
func takeImport(ctx context.Context, tx *store.Tx, id string, now time.Time) (importTask, error) {
	return store.One(tx.QueryRow(ctx, `SELECT url, username, sealed, secret, every, state, attempts, due, error, fetched, large, actor, cause
		FROM repository_imports WHERE repository = $1 AND due > 0 AND due <= $2`, id, store.Micros(now)), scanImport, "import of %s", id)
}

func scanImport(row store.Row) (t importTask, err error) {
	var every, due, fetched int64
	err = row.Scan(&t.URL, &t.Username, &t.sealed, &t.Secret, &every, &t.State, &t.Attempts, &due, &t.Error, &fetched, &t.large, &t.actor, &t.cause)
	t.Every, t.Due, t.Fetched = time.Duration(every)*time.Microsecond, store.FromMicros(due), store.FromMicros(fetched)
	return t, err
}

// setImport gives an import another state and time, as somebody wishes; forget drops its password.
func setImport(ctx context.Context, tx *store.Tx, id, state string, due time.Time, forget bool) error {
	_, err := tx.Exec(ctx, `UPDATE repository_imports SET state = $2, due = $3, attempts = 0, sealed = CASE WHEN $4 = 1 THEN '' ELSE sealed END WHERE repository = $1`,
		id, state, store.Micros(due), forget)
	return err
}

func setRunning(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE repository_imports SET state = $2 WHERE repository = $1`, id, ImportRunning)
	return err
}

func setImportCredentials(ctx context.Context, tx *store.Tx, id string, c Credentials, sealed string) error {
	_, err := tx.Exec(ctx, `UPDATE repository_imports SET username = $2, sealed = $3, secret = $4 WHERE repository = $1`, id, c.Username, sealed, c.Secret)
	return err
}

// saveImport writes the outcome of an attempt. One that is over needs its password no more.
func saveImport(ctx context.Context, tx *store.Tx, id string, i Import, large string) error {
	over := i.State == ImportReady && i.Every == 0
	_, err := tx.Exec(ctx, `UPDATE repository_imports SET state = $2, attempts = $3, due = $4, error = $5, fetched = $6, refs = $7, bytes = $8, large = $9,
		sealed = CASE WHEN $10 = 1 THEN '' ELSE sealed END WHERE repository = $1`,
		id, i.State, i.Attempts, store.Micros(i.Due), i.Error, store.Micros(i.Fetched), i.Refs, i.Bytes, large, over)
	return err
}
