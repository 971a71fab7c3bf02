package registry

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
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
	return store.Migrations{Room: "registry", FS: files}
}

// Prefixes of ids.
const (
	versionID         = "mdv"
	providerVersionID = "pvv"
)

const moduleColumns = "ref, space, owner, title, description, spec, message, updated"

func scanModule(row store.Row) (m Module, err error) {
	var name, spec string
	var updated int64
	if err := row.Scan(&name, &m.Space, &m.Owner, &m.Title, &m.Description, &spec, &m.Message, &updated); err != nil {
		return m, err
	}
	m.Updated = store.FromMicros(updated)
	if m.Ref, err = ref.Parse(name, "module", ref.DefaultNamespace); err != nil {
		return m, err
	}
	return m, fault.Wrap(json.Unmarshal([]byte(spec), &m.Spec), "read what is kept of %s", name)
}

func getModule(ctx context.Context, tx *store.Tx, r ref.Entity, lock string) (Module, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+moduleColumns+" FROM registry_modules WHERE ref = $1"+lock, r.String()), scanModule, "module %s/%s", r.Namespace, r.Name)
}

func allModules(ctx context.Context, tx *store.Tx) ([]Module, error) {
	rows, err := tx.Query(ctx, "SELECT "+moduleColumns+" FROM registry_modules ORDER BY ref")
	return store.Collect(rows, err, scanModule)
}

const versionColumns = "id, module, version, state, message, tag, tag_hash, moved, commit_id, actor, archive, size, files, content, round, yanked, yanked_by, yanked_at, created"

func scanVersion(row store.Row) (v Version, err error) {
	var module, content string
	var yanked, created int64
	if err := row.Scan(&v.ID, &module, &v.Version, &v.State, &v.Message, &v.Tag, &v.tagHash, &v.Moved, &v.Commit, &v.Actor, &v.Archive, &v.Size, &v.Files, &content,
		&v.Round, &v.Yanked.Reason, &v.Yanked.Actor, &yanked, &created); err != nil {
		return v, err
	}
	v.Created = store.FromMicros(created)
	if yanked > 0 {
		v.Yanked.Time = store.FromMicros(yanked)
	}
	if v.Module, err = ref.Parse(module, "module", ref.DefaultNamespace); err != nil {
		return v, err
	}
	return v, fault.Wrap(json.Unmarshal([]byte(content), &v.Content), "read the content of version %s", v.ID)
}

func getVersion(ctx context.Context, tx *store.Tx, module ref.Entity, version, lock string) (Version, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+versionColumns+" FROM registry_versions WHERE module = $1 AND version = $2"+lock, module.String(), version),
		scanVersion, "version %s of module %s/%s", version, module.Namespace, module.Name)
}

// lightColumns leave out the content, which may be long.
const lightColumns = "id, module, version, state, message, tag, tag_hash, moved, commit_id, actor, archive, size, files, '{}', round, yanked, yanked_by, yanked_at, created"

func versionsOf(ctx context.Context, tx *store.Tx, module ref.Entity) ([]Version, error) {
	rows, err := tx.Query(ctx, "SELECT "+lightColumns+" FROM registry_versions WHERE module = $1 ORDER BY id DESC", module.String())
	return store.Collect(rows, err, scanVersion)
}

func insertVersion(ctx context.Context, tx *store.Tx, v Version) (bool, error) {
	content, err := json.Marshal(v.Content)
	if err != nil {
		return false, err
	}
	n, err := tx.Exec(ctx, `INSERT INTO registry_versions (id, module, version, state, message, tag, tag_hash, commit_id, actor, archive, size, files, content, created)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14) ON CONFLICT (module, version) DO NOTHING`,
		v.ID, v.Module.String(), v.Version, v.State, v.Message, v.Tag, v.tagHash, v.Commit, v.Actor, v.Archive, v.Size, v.Files, string(content), store.Micros(v.Created))
	return n > 0, fault.Wrap(err, "keep version %s of %s", v.Version, v.Module)
}

func setState(ctx context.Context, tx *store.Tx, v Version) error {
	_, err := tx.Exec(ctx, "UPDATE registry_versions SET state = $2, message = $3, round = $4 WHERE id = $1", v.ID, v.State, v.Message, v.Round)
	return fault.Wrap(err, "keep the state of version %s", v.ID)
}

func scanTest(row store.Row) (t Test, err error) {
	var spec string
	if err := row.Scan(&spec, &t.State, &t.Reason, &t.Run); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(spec), &t.TestSpec)
}

func testsOf(ctx context.Context, tx *store.Tx, version string, round int) ([]Test, error) {
	rows, err := tx.Query(ctx, "SELECT spec, state, reason, run FROM registry_tests WHERE version = $1 AND round = $2 ORDER BY position", version, round)
	list, err := store.Collect(rows, err, scanTest)
	return list, fault.Wrap(err, "read the tests of version %s", version)
}

func saveTests(ctx context.Context, tx *store.Tx, version string, round int, tests []Test) error {
	for i, t := range tests {
		spec, err := json.Marshal(t.TestSpec)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO registry_tests (version, round, position, spec, state, reason, run) VALUES ($1,$2,$3,$4,$5,$6,$7)
 ON CONFLICT (version, round, position) DO UPDATE SET state=excluded.state, reason=excluded.reason, run=excluded.run`, version, round, i, string(spec), t.State, clip(t.Reason), t.Run)
		if err != nil {
			return fault.Wrap(err, "keep test %s of version %s", t.ID, version)
		}
	}
	return nil
}

// taken tells whether a query finds anything.
func taken(ctx context.Context, tx *store.Tx, query string, args ...any) (bool, error) {
	rows, err := tx.Query(ctx, query, args...)
	found, err := store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
	return len(found) > 0, fault.Wrap(err, "look for another of the address")
}
