package docs

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "docs", FS: files}
}

// siteRow is what is kept of a site.
type siteRow struct {
	id, repository, branch, folder string
	commit, title, err             string
	version, digest                string
	pages, broken                  int
}

// siteID names a site by where it is.
func siteID(repository, branch, folder string) string {
	sum := sha256.Sum256([]byte(repository + "\x00" + branch + "\x00" + folder))
	return hex.EncodeToString(sum[:16])
}

func sitesOf(ctx context.Context, tx *store.Tx, repository string) ([]siteRow, error) {
	rows, err := tx.Query(ctx, `SELECT id, repository, branch, folder, commit_id, title, error, version, digest, pages, broken FROM docs_sites WHERE repository = $1 ORDER BY id`, repository)
	return store.Collect(rows, err, func(r store.Row) (s siteRow, err error) {
		return s, r.Scan(&s.id, &s.repository, &s.branch, &s.folder, &s.commit, &s.title, &s.err, &s.version, &s.digest, &s.pages, &s.broken)
	})
}

// putSite writes what was read of a site, which is there.
func putSite(ctx context.Context, tx *store.Tx, s siteRow, now int64) error {
	_, err := tx.Exec(ctx, `UPDATE docs_sites SET commit_id = $1, title = $2, pages = $3, broken = $4, error = $5, version = $6, digest = $7, updated = $8 WHERE id = $9`,
		s.commit, s.title, s.pages, s.broken, s.err, s.version, s.digest, now, s.id)
	return fault.Wrap(err, "keep the site %s", s.id)
}

// sitesOfEntities gives where it was noted that entities have their docs, and the entities' spaces.
func sitesOfEntities(ctx context.Context, tx *store.Tx, entities []string) (map[string][2]string, error) {
	w := &store.Where{}
	w.Add(w.In("entity", entities))
	rows, err := tx.Query(ctx, `SELECT entity, site, space FROM docs_entities`+w.String(), w.Args...)
	all, err := store.Collect(rows, err, func(r store.Row) (row [3]string, err error) { return row, r.Scan(&row[0], &row[1], &row[2]) })
	known := map[string][2]string{}
	for _, row := range all {
		known[row[0]] = [2]string{row[1], row[2]}
	}
	return known, err
}

// assignedIn gives the entities after one, in order, that have their docs in a repository.
func (s *Service) assignedIn(ctx context.Context, repository, after string, limit int) (names []string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT e.entity FROM docs_entities e JOIN docs_sites s ON s.id = e.site WHERE s.repository = $1 AND e.entity > $2 ORDER BY e.entity LIMIT $3`, repository, after, limit)
		names, err = store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
		return err
	})
	return names, fault.Wrap(err, "list the entities with docs in a repository")
}

// dropSite forgets a site. Its sections are swept.
func dropSite(ctx context.Context, tx *store.Tx, id string) error {
	if _, err := tx.Exec(ctx, `UPDATE docs_sites SET commit_id = '' WHERE id = $1`, id); err != nil { // which holds its row
		return err
	}
	if err := endVersions(ctx, tx, id); err != nil {
		return err
	}
	for _, query := range []string{`DELETE FROM docs_entities WHERE site = $1`, `DELETE FROM docs_sites WHERE id = $1`} {
		if _, err := tx.Exec(ctx, query, id); err != nil {
			return fault.Wrap(err, "forget the site %s", id)
		}
	}
	return nil
}

// Query chooses entities with docs.
type Query struct {
	Text   string // a part of the entity's name or of the site's title
	Broken bool   // only those whose check found something
}

// listRow is an entity with docs and the repository that its reader must be able to read.
type listRow struct {
	Listed
	repository string // id
}

func listed(ctx context.Context, tx *store.Tx, w *store.Where, limit int) ([]listRow, error) {
	rows, err := tx.Query(ctx, `SELECT e.entity, s.title, s.repository, s.commit_id, s.pages, s.broken, s.updated FROM docs_entities e JOIN docs_sites s ON s.id = e.site`+
		w.String()+` ORDER BY e.entity LIMIT `+w.Arg(limit), w.Args...)
	return store.Collect(rows, err, func(r store.Row) (l listRow, err error) {
		var updated int64
		err = r.Scan(&l.Entity, &l.Title, &l.repository, &l.Commit, &l.Pages, &l.Broken, &updated)
		l.Updated = store.FromMicros(updated)
		return l, err
	})
}

// List gives the entities that have docs, by reference: those that the reader may see (entity:read), with docs that the
// reader may read (repository:read).
func (s *Service) List(ctx context.Context, q Query, part page.Request) (page.Of[Listed], error) {
	visible, err := s.Access.Spaces(ctx, "entity:read")
	if err != nil {
		return page.Of[Listed]{}, err
	}
	if visible.Empty() {
		return page.Of[Listed]{}, nil
	}
	names := map[string]string{} // of repositories; "" for one that may not be read
	var found []Listed
	for after, rounds := part.Cursor, 0; ; rounds++ {
		w := &store.Where{}
		if !visible.All {
			w.Add(w.In("e.space", visible.List()))
		}
		w.Add("s.pages > 0")
		w.After("e.entity", after)
		if q.Broken {
			w.Add("s.broken > 0")
		}
		if q.Text != "" {
			w.Add("(" + w.Finds("e.entity", q.Text) + " OR " + w.Finds("s.title", q.Text) + ")")
		}
		var rows []listRow
		if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			rows, err = listed(ctx, tx, w, page.Most+1)
			return err
		}); err != nil {
			return page.Of[Listed]{}, err
		}
		for _, row := range rows {
			name, known := names[row.repository]
			if !known {
				name = s.readable(ctx, row.repository)
				names[row.repository] = name
			}
			if row.Repository = name; name != "" {
				found = append(found, row.Listed)
			}
		}
		const mostRounds = 50 // of those who see few of many
		if len(found) >= part.Window() || len(rows) <= page.Most || rounds == mostRounds {
			break
		}
		after = rows[len(rows)-1].Entity
	}
	return page.Cut(found[:min(len(found), part.Window())], part, func(l Listed) string { return l.Entity }), nil
}

// readable gives the name of a repository that the reader may read, and "" for others.
func (s *Service) readable(ctx context.Context, id string) string {
	r, err := s.Repositories.Platform().ByID(ctx, id)
	if err != nil {
		return ""
	}
	if _, err := s.Repositories.Authorize(ctx, repository.Read, r.FullName()); err != nil {
		return ""
	}
	return r.FullName()
}
