package repository

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "repository", FS: sub}
}

const selectRepository = `SELECT r.id, r.namespace, r.name, r.space, r.description, r.default_branch, r.protected, r.archived, r.created,
  r.created_by, r.updated, r.pushed, r.deleted, r.deleted_by, r.purge, r.generation, r.dirty, r.dirty_actor, r.dirty_platform, r.dirty_cause, r.dirty_run, r.dirty_options,
  r.secret_check, r.push_limit, r.file_limit, r.object_limit, r.large_limit,
  r.dirty_sender, COALESCE(h.hash, ''), COALESCE(o.integration, ''), COALESCE(o.remote, ''), COALESCE(o.remote_id, ''), COALESCE(o.url, ''),
  COALESCE(o.private, 0), COALESCE(o.content, ''), COALESCE(o.complete, 0), COALESCE(o.fetched, 0), COALESCE(o.mark, ''), COALESCE(o.changed, 0), COALESCE(o.quiet, 0), COALESCE(o.listed, 0),
  COALESCE(o.trouble, ''), COALESCE(o.trouble_kind, ''), COALESCE(o.trouble_since, 0),
  COALESCE(i.state, ''), COALESCE(i.url, ''), COALESCE(i.username, ''), COALESCE(i.secret, ''), COALESCE(i.every, 0), COALESCE(i.attempts, 0),
  COALESCE(i.due, 0), COALESCE(i.error, ''), COALESCE(i.fetched, 0), COALESCE(i.refs, 0), COALESCE(i.bytes, 0)
  FROM repositories r LEFT JOIN repository_refs h ON h.repository = r.id AND h.name = 'refs/heads/' || r.default_branch
  LEFT JOIN repository_outsides o ON o.repository = r.id LEFT JOIN repository_imports i ON i.repository = r.id `

func scanRepository(row store.Row) (r Repository, err error) {
	var created, updated, pushed, deleted, purge, every, due, imported int64
	var i Import
	var dirty bool
	var options string
	var m mark
	var o Outside
	var fetched, since int64
	err = row.Scan(&r.ID, &r.Namespace, &r.Name, &r.Space, &r.Description, &r.DefaultBranch, &r.Protected, &r.Archived, &created,
		&r.CreatedBy, &updated, &pushed, &deleted, &r.DeletedBy, &purge, &r.generation, &dirty, &m.actor, &m.platform, &m.cause, &m.run, &options,
		&r.SecretCheck, &r.Limits.Push, &r.Limits.File, &r.Limits.Object, &r.Limits.Large,
		&m.sender, &r.Head, &o.Integration, &o.Remote, &o.RemoteID, &o.URL, &o.Private, &o.Content, &o.complete, &fetched, &o.view.mark, &o.view.changed, &o.view.quiet, &o.view.listed, &o.Trouble, &o.TroubleKind, &since,
		&i.State, &i.URL, &i.Username, &i.Secret, &every, &i.Attempts, &due, &i.Error, &imported, &i.Refs, &i.Bytes)
	if o.Integration != "" {
		o.Fetched, o.TroubleSince = store.FromMicros(fetched), store.FromMicros(since)
		r.Outside = &o
	}
	r.Created, r.Updated, r.Pushed = store.FromMicros(created), store.FromMicros(updated), store.FromMicros(pushed)
	if i.State != "" {
		i.Every, i.Due, i.Fetched = time.Duration(every)*time.Microsecond, store.FromMicros(due), store.FromMicros(imported)
		r.Import = &i
	}
	r.Deleted, r.Purge = store.FromMicros(deleted), store.FromMicros(purge)
	if dirty && err == nil {
		r.dirty = &m
		if options != "" {
			err = json.Unmarshal([]byte(options), &m.options)
		}
	}
	return r, err
}

// byName gives a repository by NAMESPACE/NAME. One that was deleted is not found.
func byName(ctx context.Context, tx *store.Tx, fullName string) (Repository, error) {
	return named(ctx, tx, fullName, "r.deleted = 0")
}

// deletedByName gives a repository by the NAMESPACE/NAME that is kept for it. One that is there is not found.
func deletedByName(ctx context.Context, tx *store.Tx, fullName string) (Repository, error) {
	return named(ctx, tx, fullName, "r.deleted > 0")
}

func named(ctx context.Context, tx *store.Tx, fullName, which string) (Repository, error) {
	namespace, name, err := ParseName(fullName)
	if err != nil {
		return Repository{}, err
	}
	return store.One(tx.QueryRow(ctx, selectRepository+`WHERE r.namespace = $1 AND r.name = $2 AND `+which, namespace, name), scanRepository,
		"repository %s/%s", namespace, name)
}

// byID gives a repository. One that was deleted is not found.
func byID(ctx context.Context, tx *store.Tx, id string) (Repository, error) {
	r, err := rowByID(ctx, tx, id)
	if err == nil && r.gone() {
		return Repository{}, fault.Errorf(fault.NotFound, "repository %s was deleted", r.FullName())
	}
	return r, err
}

// held is byID for a transaction that counts what a repository has before it adds to it: others who do so wait for its end.
func held(ctx context.Context, tx *store.Tx, id string) (Repository, error) {
	if lock := tx.ForUpdate(); lock != "" {
		if err := tx.QueryRow(ctx, "SELECT id FROM repositories WHERE id = $1"+lock, id).Scan(&id); err != nil && !fault.Is(err, fault.NotFound) {
			return Repository{}, err
		}
	}
	return byID(ctx, tx, id)
}

// rowByID gives a repository, deleted or not.
func rowByID(ctx context.Context, tx *store.Tx, id string) (Repository, error) {
	return store.One(tx.QueryRow(ctx, selectRepository+`WHERE r.id = $1`, id), scanRepository, "repository %s", id)
}

func insert(ctx context.Context, tx *store.Tx, r Repository) error {
	_, err := tx.Exec(ctx, `INSERT INTO repositories (id, namespace, name, space, description, default_branch, protected, archived, created,
		created_by, updated, pushed, deleted, deleted_by, purge, generation, dirty, dirty_actor, dirty_platform, dirty_cause, dirty_run, dirty_options, dirty_sender,
		secret_check, push_limit, file_limit, object_limit, large_limit)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $11, $8, $9, $10, 0, 0, '', 0, 0, 0, '', 0, '', '', '', '', $12, 0, 0, 0, 0)`,
		r.ID, r.Namespace, r.Name, r.Space, r.Description, r.DefaultBranch, r.Protected, r.Created, r.CreatedBy, r.Updated, r.Archived, r.SecretCheck)
	if fault.Is(err, fault.Conflict) {
		return taken(r.FullName())
	}
	return err
}

// keepFormer notes whose a name was that becomes free.
func keepFormer(ctx context.Context, tx *store.Tx, r Repository) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_former_names (namespace, name, repository, space, created_by) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (namespace, name) DO UPDATE SET repository = excluded.repository, space = excluded.space, created_by = excluded.created_by`,
		r.Namespace, r.Name, r.ID, r.Space, r.CreatedBy)
	return err
}

// former gives whose a name was. NotFound when it was nobody's.
func former(ctx context.Context, tx *store.Tx, namespace, name string) (space, creator string, err error) {
	err = tx.QueryRow(ctx, `SELECT space, created_by FROM repository_former_names WHERE namespace = $1 AND name = $2`, namespace, name).Scan(&space, &creator)
	return space, creator, err
}

// movedTo gives the id of the repository that had a name last. NotFound when none had.
func movedTo(ctx context.Context, tx *store.Tx, namespace, name string) (id string, err error) {
	err = tx.QueryRow(ctx, `SELECT repository FROM repository_former_names WHERE namespace = $1 AND name = $2`, namespace, name).Scan(&id)
	return id, err
}

func taken(fullName string) error {
	return fault.Errorf(fault.Conflict, "the name %s is taken; choose another one", fullName)
}

// update writes what an administrator may change.
func update(ctx context.Context, tx *store.Tx, r Repository) error {
	_, err := tx.Exec(ctx, `UPDATE repositories SET namespace = $2, name = $3, space = $4, description = $5, default_branch = $6,
		protected = $7, archived = $8, updated = $9,
		secret_check = $10, push_limit = $11, file_limit = $12, object_limit = $13, large_limit = $14 WHERE id = $1`,
		r.ID, r.Namespace, r.Name, r.Space, r.Description, r.DefaultBranch, r.Protected, r.Archived, r.Updated,
		r.SecretCheck, r.Limits.Push, r.Limits.File, r.Limits.Object, r.Limits.Large)
	if fault.Is(err, fault.Conflict) {
		return taken(r.FullName())
	}
	return err
}

func remove(ctx context.Context, tx *store.Tx, id string) error {
	for _, statement := range []string{
		`DELETE FROM repository_large WHERE repository = $1`,
		`DELETE FROM repository_file_locks WHERE repository = $1`,
		`DELETE FROM repository_platform_commits WHERE repository = $1`,
		`DELETE FROM repository_refs WHERE repository = $1`,
		`DELETE FROM repository_outsides WHERE repository = $1`,
		`DELETE FROM repository_former_pages WHERE repository = $1`,
		`DELETE FROM repository_outgoing WHERE repository = $1`,
		`DELETE FROM repository_told WHERE repository = $1`,
		`DELETE FROM repository_imports WHERE repository = $1`,
		`DELETE FROM repository_mirror_refs WHERE mirror IN (SELECT id FROM repository_mirrors WHERE repository = $1)`,
		`DELETE FROM repository_mirrors WHERE repository = $1`,
		`DELETE FROM repositories WHERE id = $1`,
	} {
		if _, err := tx.Exec(ctx, statement, id); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO repository_purges (repository) VALUES ($1)`, id)
	return err
}

// purgedIDs gives some repositories that are no more and whose folders may still be there.
func purgedIDs(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT repository FROM repository_purges ORDER BY repository LIMIT 100`)
	return store.Collect(rows, err, scanText)
}

func isPurged(ctx context.Context, tx *store.Tx, id string) (is bool, err error) {
	n := 0
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM repository_purges WHERE repository = $1`, id).Scan(&n)
	return n > 0, err
}

func setSwept(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM repository_purges WHERE repository = $1`, id)
	return err
}

// setDirty notes that references may move from now on.
func setDirty(ctx context.Context, tx *store.Tx, id string, m mark) error {
	options := ""
	if len(m.options) > 0 {
		raw, err := json.Marshal(m.options)
		if err != nil {
			return err
		}
		options = string(raw)
	}
	n, err := tx.Exec(ctx, `UPDATE repositories SET dirty = 1, generation = generation + 1, dirty_actor = $2, dirty_platform = $3,
		dirty_cause = $4, dirty_run = $5, dirty_options = $6, dirty_sender = $7 WHERE id = $1 AND deleted = 0`, id, m.actor, m.platform, m.cause, m.run, options, m.sender)
	if err == nil && n == 0 {
		return fault.Errorf(fault.NotFound, "the repository was deleted meanwhile")
	}
	return err
}

// setSettled raises the generation, when it is still the expected one; last takes the mark away too.
func setSettled(ctx context.Context, tx *store.Tx, id string, generation int64, last bool, pushed time.Time) (bool, error) {
	dirty := 1
	if last {
		dirty = 0
	}
	n, err := tx.Exec(ctx, `UPDATE repositories SET generation = generation + 1, dirty = $3,
		pushed = CASE WHEN $4 > pushed THEN $4 ELSE pushed END WHERE id = $1 AND generation = $2`,
		id, generation, dirty, store.Micros(pushed))
	return n == 1, err
}

func setRef(ctx context.Context, tx *store.Tx, id, name, hash, actor string, now time.Time) error {
	if hash == Zero {
		_, err := tx.Exec(ctx, `DELETE FROM repository_refs WHERE repository = $1 AND name = $2`, id, name)
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO repository_refs (repository, name, hash, actor, updated) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (repository, name) DO UPDATE SET hash = excluded.hash, actor = excluded.actor, updated = excluded.updated`,
		id, name, hash, actor, now)
	return err
}

func addPlatformCommit(ctx context.Context, tx *store.Tx, id, hash string) error {
	_, err := tx.Exec(ctx, `INSERT INTO repository_platform_commits (repository, hash) VALUES ($1, $2)
		ON CONFLICT (repository, hash) DO NOTHING`, id, hash)
	return err
}

func isPlatformCommit(ctx context.Context, tx *store.Tx, id, hash string) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM repository_platform_commits WHERE repository = $1 AND hash = $2`, id, hash).Scan(&n)
	return n > 0, err
}

// Ref is a branch, tag or note as the ledger knows it.
type Ref struct {
	Name    string // refs/heads/main
	Hash    string
	Updated time.Time
	Actor   string // who moved it there; opaque id
}

func listRefs(ctx context.Context, tx *store.Tx, id string) ([]Ref, error) {
	rows, err := tx.Query(ctx, `SELECT name, hash, updated, actor FROM repository_refs WHERE repository = $1 ORDER BY name`, id)
	return store.Collect(rows, err, func(row store.Row) (r Ref, err error) {
		var updated int64
		err = row.Scan(&r.Name, &r.Hash, &updated, &r.Actor)
		r.Updated = store.FromMicros(updated)
		return r, err
	})
}

func refHash(ctx context.Context, tx *store.Tx, id, name string) (hash string, err error) {
	err = tx.QueryRow(ctx, `SELECT hash FROM repository_refs WHERE repository = $1 AND name = $2`, id, name).Scan(&hash)
	return hash, err
}

// headOf gives who moved a reference to a hash, and when. NotFound when it is not there now.
func headOf(ctx context.Context, tx *store.Tx, id, name, hash string) (actor string, at time.Time, err error) {
	var updated int64
	err = tx.QueryRow(ctx, `SELECT actor, updated FROM repository_refs WHERE repository = $1 AND name = $2 AND hash = $3`, id, name, hash).Scan(&actor, &updated)
	return actor, store.FromMicros(updated), err
}

func dirtyIDs(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM repositories WHERE dirty = 1 AND deleted = 0 ORDER BY id`)
	return store.Collect(rows, err, scanText)
}

// liveIDs gives the repositories that are there.
func liveIDs(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM repositories WHERE deleted = 0`)
	return store.Collect(rows, err, scanText)
}

// allIDs gives the repositories that have a folder: those that are there, and those that were deleted and can be restored.
func allIDs(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM repositories`)
	return store.Collect(rows, err, scanText)
}

func hostedIDs(ctx context.Context, tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM repositories WHERE id NOT IN (SELECT repository FROM repository_outsides)`)
	return store.Collect(rows, err, scanText)
}

// setDeleted hides a repository until a time at which it is removed, or with a zero time shows it again.
func setDeleted(ctx context.Context, tx *store.Tx, id string, at time.Time, by string, purge time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE repositories SET deleted = $2, deleted_by = $3, purge = $4 WHERE id = $1`, id, store.Micros(at), by, store.Micros(purge))
	return err
}

// dueIDs gives some repositories that were deleted and are to be removed for good by now.
func dueIDs(ctx context.Context, tx *store.Tx, now time.Time) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM repositories WHERE deleted > 0 AND purge <= $1 ORDER BY purge LIMIT 20`, store.Micros(now))
	return store.Collect(rows, err, scanText)
}

func scanText(row store.Row) (s string, err error) {
	err = row.Scan(&s)
	return s, err
}
