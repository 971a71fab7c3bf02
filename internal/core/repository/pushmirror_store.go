package repository

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

const selectMirror = `SELECT id, repository, url, username, sealed, secret, integration, patterns, forced, every, attempts, due, error, failing, pushed, large,
  created, created_by FROM repository_mirrors `

func scanMirror(row store.Row) (m Mirror, err error) {
	var patterns string
	var every, due, failing, pushed, created int64
	err = row.Scan(&m.ID, &m.Repository, &m.URL, &m.Username, &m.sealed, &m.Secret, &m.Integration, &patterns, &m.Force, &every, &m.Attempts, &due, &m.Error,
		&failing, &pushed, &m.large, &created, &m.CreatedBy)
	m.Patterns, m.Every = strings.Fields(patterns), time.Duration(every)*time.Microsecond
	m.Due, m.Failing, m.Pushed, m.Created = store.FromMicros(due), store.FromMicros(failing), store.FromMicros(pushed), store.FromMicros(created)
	return m, err
}

func insertMirror(ctx context.Context, tx *store.Tx, m Mirror) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_mirrors (id, repository, url, username, sealed, secret, integration, patterns, forced, every, attempts, due, error,
		failing, pushed, large, created, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, '', 0, 0, '', $12, $13)`,
		m.ID, m.Repository, m.URL, m.Username, m.sealed, m.Secret, m.Integration, strings.Join(m.Patterns, " "), m.Force, m.Every.Microseconds(), m.Due, m.Created, m.CreatedBy)
	return err
}

func mirrorByID(ctx context.Context, tx *store.Tx, id, lock string) (Mirror, error) {
	return store.One(tx.QueryRow(ctx, selectMirror+`WHERE id = $1`+lock, id), scanMirror, "mirror %.100s", id)
}

func mirrorsOf(ctx context.Context, tx *store.Tx, repository string) ([]Mirror, error) {
	rows, err := tx.Query(ctx, selectMirror+`WHERE repository = $1 ORDER BY id`, repository)
	return store.Collect(rows, err, scanMirror)
}

// dueMirrors gives some mirrors that are due, of repositories that are there.
func dueMirrors(ctx context.Context, tx *store.Tx, now time.Time) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT m.id FROM repository_mirrors m JOIN repositories r ON r.id = m.repository
		WHERE m.due <= $1 AND r.deleted = 0 ORDER BY m.due LIMIT 50`, store.Micros(now))
	return store.Collect(rows, err, scanText)
}

func setMirrorDue(ctx context.Context, tx *store.Tx, id string, due time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE repository_mirrors SET due = $2 WHERE id = $1`, id, due)
	return err
}

// mirrorsDue has the mirrors of a repository pushed to.
func mirrorsDue(ctx context.Context, tx *store.Tx, repository string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE repository_mirrors SET due = $2 WHERE repository = $1`, repository, now)
	return err
}

func saveMirror(ctx context.Context, tx *store.Tx, m Mirror) error {
	_, err := tx.Exec(ctx, `UPDATE repository_mirrors SET attempts = $2, due = $3, error = $4, failing = $5, pushed = $6, large = $7 WHERE id = $1`,
		m.ID, m.Attempts, m.Due, m.Error, store.Micros(m.Failing), store.Micros(m.Pushed), m.large)
	return err
}

func removeMirror(ctx context.Context, tx *store.Tx, id string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM repository_mirror_refs WHERE mirror = $1`, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM repository_mirrors WHERE id = $1`, id)
	return err
}

// mirrorRefs gives what was pushed on to a mirror last, by name.
func mirrorRefs(ctx context.Context, tx *store.Tx, id string) (map[string]string, error) {
	refs := map[string]string{}
	rows, err := tx.Query(ctx, `SELECT name, hash FROM repository_mirror_refs WHERE mirror = $1`, id)
	_, err = store.Collect(rows, err, func(row store.Row) (none struct{}, err error) {
		var name, hash string
		err = row.Scan(&name, &hash)
		refs[name] = hash
		return none, err
	})
	return refs, err
}

// setMirrorRef notes what is at a mirror; "" that it is no more.
func setMirrorRef(ctx context.Context, tx *store.Tx, mirror, name, hash string) error {
	if hash == "" {
		_, err := tx.Exec(ctx, `DELETE FROM repository_mirror_refs WHERE mirror = $1 AND name = $2`, mirror, name)
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO repository_mirror_refs (mirror, name, hash) VALUES ($1, $2, $3)
		ON CONFLICT (mirror, name) DO UPDATE SET hash = excluded.hash`, mirror, name, hash)
	return err
}
