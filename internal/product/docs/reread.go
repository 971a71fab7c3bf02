package docs

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// lookAtSites reads the sites of a repository that may have changed.
func (s *Service) lookAtSites(ctx context.Context, repo repository.Repository) error {
	var sites []siteRow
	if err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if sites, err = sitesOf(ctx, tx, repo.ID); err == nil {
			sites, err = s.dropOrphans(ctx, tx, repo, sites)
		}
		if err == nil { // who still writes one has read before this look does
			_, err = tx.Exec(ctx, `UPDATE docs_versions SET dead = 1 WHERE repository = $1 AND dead = 0`, repo.ID)
		}
		return err
	}); err != nil {
		return err
	}
	if err := s.sweep(ctx, repo.ID); err != nil {
		return err
	}
	heads := map[string]string{}     // of branches
	changed := map[string][]string{} // paths, by "from to"; nil for unknown
	var same []siteRow               // as they were at the commit that was read
	for _, row := range sites {
		head, known := heads[row.branch]
		if !known {
			var err error
			if head, err = s.Repositories.Platform().Head(ctx, repo.FullName(), row.branch); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			heads[row.branch] = head
		}
		if row.commit == head {
			continue
		}
		if row.commit != "" && head != "" {
			key := row.commit + " " + head
			paths, known := changed[key]
			if !known {
				var err error
				if paths, err = s.Repositories.Platform().ChangedPaths(ctx, repo.FullName(), row.commit, head); err != nil {
					if !final(err) {
						return err
					}
					paths = nil // from a history that is gone, or too many
				} else if paths == nil {
					paths = []string{}
				}
				changed[key] = paths
			}
			if paths != nil && !slices.ContainsFunc(paths, func(p string) bool { return row.folder == "" || strings.HasPrefix(p, row.folder+"/") }) {
				same = append(same, row)
				continue
			}
		}
		if err := s.readAgain(ctx, repo, row, head); err != nil {
			return err
		}
	}
	if err := s.sweep(ctx, repo.ID); err != nil || len(same) == 0 {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, row := range same {
			if _, err := tx.Exec(ctx, `UPDATE docs_sites SET commit_id = $1 WHERE id = $2 AND commit_id = $3`, heads[row.branch], row.id, row.commit); err != nil {
				return fault.Wrap(err, "note that the site in %s is as it was", path.Join("/", row.folder))
			}
		}
		return nil
	})
}

// dropOrphans forgets the sites that no entity has any more. The row of each is held first, as whoever assigns it to an entity
// holds it.
func (s *Service) dropOrphans(ctx context.Context, tx *store.Tx, repo repository.Repository, sites []siteRow) ([]siteRow, error) {
	var kept []siteRow
	for _, row := range sites {
		var id string
		var used bool
		if err := tx.QueryRow(ctx, `SELECT id FROM docs_sites WHERE id = $1`+tx.ForUpdate(), row.id).Scan(&id); err != nil {
			return nil, err
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM docs_entities WHERE site = $1 LIMIT 1) x`, row.id).Scan(&used); err != nil {
			return nil, err
		}
		if used {
			kept = append(kept, row)
			continue
		}
		if err := dropSite(ctx, tx, row.id); err != nil {
			return nil, err
		}
		if row.pages > 0 {
			row.pages, row.broken = 0, 0
			if err := s.tell(ctx, tx, repo, row); err != nil {
				return nil, err
			}
		}
	}
	return kept, nil
}

// forgetPurged forgets the sites of repositories that are gone for good.
func (s *Service) forgetPurged(ctx context.Context) error {
	var ids []string
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT repository FROM docs_sites UNION SELECT repository FROM docs_versions ORDER BY repository`)
		ids, err = store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
		return err
	})
	var there map[string]bool
	if err == nil {
		there, err = s.Repositories.Platform().Existing(ctx, ids)
	}
	for i := 0; i < len(ids) && err == nil; i++ {
		if there[ids[i]] {
			continue
		}
		err = s.DB.Write(ctx, func(tx *store.Tx) error {
			sites, err := sitesOf(ctx, tx, ids[i])
			for j := 0; j < len(sites) && err == nil; j++ {
				err = dropSite(ctx, tx, sites[j].id)
			}
			return err
		})
		if err == nil {
			err = s.sweep(ctx, ids[i])
		}
	}
	return fault.Wrap(err, "forget the docs of repositories that are gone")
}
