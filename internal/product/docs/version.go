package docs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// The sections of a site are written in parts, each a short transaction, as a version that no site shows; the last transaction
// has the site show it, with the entry in the ledger. What it showed before is then deleted in parts. docs_versions names the
// versions that no site shows, so that what a server left half done is found: by the next look at the repository, which ends
// what somebody else may still be writing, too.
const (
	sectionsAtOnce = 500
	textAtOnce     = 512 << 10 // bytes of them
)

// errStale says that somebody else has looked at a site meanwhile.
var errStale = errors.New("somebody has looked meanwhile")

// readAgain reads a site at a commit and keeps what is there.
func (s *Service) readAgain(ctx context.Context, repo repository.Repository, had siteRow, head string) error {
	row := had
	row.commit, row.title, row.pages, row.broken, row.err = head, "", 0, 0, ""
	var a audit
	key, t := siteKey{repo.ID, head, row.folder}, at{s, repo.FullName(), head}
	var site *Site
	err := fault.Errorf(fault.NotFound, "the branch %s has nothing yet", row.branch)
	if head != "" {
		site, err = s.site(ctx, key, t)
	}
	if err == nil {
		a, err = s.audit(ctx, t, site)
	}
	switch {
	case err == nil:
		row.title, row.pages, row.broken = cut(clean(site.Title), 300), len(site.Pages), len(a.report.Problems)
	case final(err):
		row.err, a.texts = cut(fault.Message(err), 1000), nil
	default:
		return err
	}
	switch err = s.keep(ctx, repo, had, row, a.texts); {
	case errors.Is(err, errStale):
		err = fault.Errorf(fault.Unavailable, "somebody else reads them at the same time; they are looked at again")
	case fault.Is(err, fault.NotFound): // no entity has it any more
		return nil
	}
	return fault.Wrap(err, "keep the docs in %s of %s", path.Join("/", row.folder), repo.FullName())
}

// keep makes of a site what was read of it, where it is still what it was. It fails with errStale where it is not.
func (s *Service) keep(ctx context.Context, repo repository.Repository, had, row siteRow, texts []text) error {
	if row.digest = digestOf(row, texts); row.digest == had.digest {
		return s.DB.Write(ctx, func(tx *store.Tx) error {
			if err := hold(ctx, tx, had); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE docs_sites SET commit_id = $1 WHERE id = $2`, row.commit, row.id)
			return err
		})
	}
	row.version = ""
	if len(texts) > 0 {
		row.version = ref.NewID("dsv", s.Now())
		if err := s.beginVersion(ctx, had, row); err != nil {
			return err
		}
		for from := 0; from < len(texts); {
			n, err := s.writePart(ctx, row.version, texts, from)
			if err != nil {
				return err
			}
			from += n
		}
	}
	return s.show(ctx, repo, had, row)
}

// beginVersion notes that a version is written that its site does not show yet. It ends another's.
func (s *Service) beginVersion(ctx context.Context, had, row siteRow) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := hold(ctx, tx, had); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE docs_versions SET dead = 1 WHERE site = $1`, row.id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO docs_versions (version, site, repository, dead) VALUES ($1,$2,$3,0)`, row.version, row.id, row.repository)
		return err
	})
}

// writePart writes sections of a version from one on, as many as go at once.
func (s *Service) writePart(ctx context.Context, version string, texts []text, from int) (n int, err error) {
	var rows [][]any
	for size := 0; from+len(rows) < len(texts) && len(rows) < sectionsAtOnce && size < textAtOnce; {
		x := texts[from+len(rows)]
		rows = append(rows, []any{version, from + len(rows), x.page.Path, clean(x.page.Title), clean(x.section.ID), clean(x.section.Heading), clean(x.section.Text)})
		size += len(x.section.Text) + len(x.section.Heading)
	}
	return len(rows), s.DB.Write(store.Long(ctx), func(tx *store.Tx) error {
		if err := alive(ctx, tx, version); err != nil {
			return err
		}
		_, err := store.InsertMany(ctx, tx, `INSERT INTO docs_sections (version, number, path, title, anchor, heading, body)`, "", rows)
		return err
	})
}

// show has a site show what was read, and the ledger tell of it.
func (s *Service) show(ctx context.Context, repo repository.Repository, had, row siteRow) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := hold(ctx, tx, had); err != nil {
			return err
		}
		if row.version != "" {
			if err := alive(ctx, tx, row.version); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM docs_versions WHERE version = $1`, row.version); err != nil {
				return err
			}
		}
		if err := endVersions(ctx, tx, row.id); err != nil {
			return err
		}
		if err := putSite(ctx, tx, row, store.Micros(s.Now())); err != nil {
			return err
		}
		if had.pages == 0 && row.pages == 0 {
			return nil
		}
		return s.tell(ctx, tx, repo, row)
	})
}

// hold has others who change a site wait, where it is at the commit at which it was.
func hold(ctx context.Context, tx *store.Tx, had siteRow) error {
	var commit string
	err := tx.QueryRow(ctx, `SELECT commit_id FROM docs_sites WHERE id = $1`+tx.ForUpdate(), had.id).Scan(&commit)
	if err == nil && commit != had.commit {
		err = errStale
	}
	return err
}

// alive has others who would end a version wait, where nobody has.
func alive(ctx context.Context, tx *store.Tx, version string) error {
	var dead bool
	err := tx.QueryRow(ctx, `SELECT dead FROM docs_versions WHERE version = $1`+tx.ForUpdate(), version).Scan(&dead)
	if dead || fault.Is(err, fault.NotFound) {
		err = errStale
	}
	return err
}

// endVersions has the sections swept that a site shows, and those that somebody writes for it. The site's row is held.
func endVersions(ctx context.Context, tx *store.Tx, site string) error {
	_, err := tx.Exec(ctx, `INSERT INTO docs_versions (version, site, repository, dead) SELECT version, id, repository, 1 FROM docs_sites WHERE id = $1 AND version <> ''`, site)
	if err == nil {
		_, err = tx.Exec(ctx, `UPDATE docs_versions SET dead = 1 WHERE site = $1`, site)
	}
	return fault.Wrap(err, "end the sections of the site %s", site)
}

// sweep deletes the sections that no site in a repository shows and nobody writes, a part after another.
func (s *Service) sweep(ctx context.Context, repository string) error {
	var dead []string
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT version FROM docs_versions WHERE repository = $1 AND dead = 1 ORDER BY version`, repository)
		dead, err = store.Collect(rows, err, func(r store.Row) (version string, err error) { return version, r.Scan(&version) })
		return err
	})
	for i := 0; err == nil && i < len(dead); {
		whole := false
		err = s.DB.Write(store.Long(ctx), func(tx *store.Tx) error {
			var held string
			err := tx.QueryRow(ctx, `SELECT version FROM docs_versions WHERE version = $1`+tx.ForUpdate(), dead[i]).Scan(&held)
			if whole = fault.Is(err, fault.NotFound); whole { // another has
				return nil
			}
			if err != nil {
				return err
			}
			n, err := tx.Exec(ctx, `DELETE FROM docs_sections WHERE version = $1 AND number IN (SELECT number FROM docs_sections WHERE version = $1 ORDER BY number LIMIT $2)`, dead[i], sectionsAtOnce)
			if whole = n < sectionsAtOnce; err != nil || !whole {
				return err
			}
			_, err = tx.Exec(ctx, `DELETE FROM docs_versions WHERE version = $1`, dead[i])
			return err
		})
		if whole {
			i++
		}
	}
	return fault.Wrap(err, "delete sections that are not shown any more")
}

// digestOf gives the same for the same that is to be kept, but for the commit.
func digestOf(row siteRow, texts []text) string {
	sum := sha256.New()
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(sum, "%d:%s", len(p), p)
		}
	}
	write(row.title, row.err, fmt.Sprint(row.pages, row.broken))
	for _, x := range texts {
		write(x.page.Path, x.page.Title, x.section.ID, x.section.Heading, x.section.Text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func clean(text string) string { return strings.ReplaceAll(text, "\x00", "") }
