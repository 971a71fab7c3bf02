package docs

import (
	"context"
	"encoding/json"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Projected is a site with pages, as it was read last, for an index of texts.
type Projected struct {
	Site       string
	Repository string // id
	Entities   []ProjectedEntity
}

// ProjectedEntity is an entity whose docs a site is.
type ProjectedEntity struct{ Ref, Space string }

// ProjectedSection is a part of a page of a site.
type ProjectedSection struct {
	Number int // within the site, from 0
	Section
}

// Projection gives sites with pages, by id; all of them when ids is nil. It asks for no right: who makes answers of it does.
func (s *Service) Projection(ctx context.Context, ids []string) (all []Projected, err error) {
	if ids != nil && len(ids) == 0 {
		return nil, nil
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("s.pages > 0")
		if ids != nil {
			w.Add(w.In("s.id", ids))
		}
		rows, err := tx.Query(ctx, `SELECT s.id, s.repository, e.entity, e.space FROM docs_sites s JOIN docs_entities e ON e.site = s.id`+w.String()+` ORDER BY s.id, e.entity`, w.Args...)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var p Projected
			var e ProjectedEntity
			err := r.Scan(&p.Site, &p.Repository, &e.Ref, &e.Space)
			if n := len(all); n == 0 || all[n-1].Site != p.Site {
				all = append(all, p)
			}
			last := &all[len(all)-1]
			last.Entities = append(last.Entities, e)
			return struct{}{}, err
		})
		return err
	})
	return all, fault.Wrap(err, "read which docs there are")
}

// ProjectionOf tells how many pages the docs of an entity have, and how many problems; 0 when it has none. It asks for no right.
func (s *Service) ProjectionOf(ctx context.Context, e ref.Entity) (pages, broken int, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT s.pages, s.broken FROM docs_entities e JOIN docs_sites s ON s.id = e.site WHERE e.entity = $1`, e.String()).Scan(&pages, &broken)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	return pages, broken, fault.Wrap(err, "read what docs %s has", e)
}

// ProjectedSections gives sections of a site, by their numbers; all of them when numbers is nil. It asks for no right: who makes
// answers of it does.
func (s *Service) ProjectedSections(ctx context.Context, site string, numbers []int) (all []ProjectedSection, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("version = (SELECT version FROM docs_sites WHERE id = " + w.Arg(site) + ")")
		if numbers != nil {
			in := ""
			for i, n := range numbers {
				if i > 0 {
					in += ", "
				}
				in += w.Arg(n)
			}
			w.Add("number IN (" + in + ")")
		}
		rows, err := tx.Query(ctx, `SELECT number, path, title, anchor, heading, body FROM docs_sections`+w.String()+` ORDER BY number`, w.Args...)
		all, err = store.Collect(rows, err, func(r store.Row) (p ProjectedSection, err error) {
			return p, r.Scan(&p.Number, &p.Path, &p.Title, &p.Anchor, &p.Heading, &p.Text)
		})
		return err
	})
	return all, fault.Wrap(err, "read sections of docs")
}

// tell notes in the ledger that a site is not as it was: its pages, or whose docs it is. One that has no pages, and had none,
// is nobody's news.
func (s *Service) tell(ctx context.Context, tx *store.Tx, repo repository.Repository, row siteRow) error {
	data, err := json.Marshal(map[string]any{"site": row.id, "folder": row.folder, "branch": row.branch, "commit": row.commit, "pages": row.pages, "broken": row.broken})
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: repo.Space, Type: "docs.changed", Subject: repo.Subject(), Data: data})
	return err
}

// tellOf notes that others have a site as their docs, or do no more.
func (s *Service) tellOf(ctx context.Context, tx *store.Tx, site string) error {
	row := siteRow{id: site}
	err := tx.QueryRow(ctx, `SELECT repository, branch, folder, commit_id, pages, broken FROM docs_sites WHERE id = $1 AND pages > 0`, site).
		Scan(&row.repository, &row.branch, &row.folder, &row.commit, &row.pages, &row.broken)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	repo, err := s.Repositories.Platform().ByIDTx(ctx, tx, row.repository)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, repo, row)
}
