package docs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	jobLook   = "docs.look"   // at a repository
	jobEntity = "docs.entity" // at an entity whose docs are not in the repository that declares it
)

type lookArgs struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
}

type entityArgs struct {
	Entity string `json:"entity"`
}

// sharedMost is how many entities a folder declares, at most, for its README to be taken for theirs.
const sharedMost = 20

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: 10 * time.Minute, Concurrency: 2}, func(ctx context.Context, a lookArgs) error {
		return s.look(actor.AsSystem(ctx), a.Repository)
	})
	queue.Handle(s.Queue, jobEntity, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a entityArgs) error {
		return s.lookAtEntity(actor.AsSystem(ctx), a.Entity)
	})
	s.Ledger.Subscribe("docs.repositories", []string{"repository.pushed", "repository.restored", "repository.transferred", "repository.renamed", "repository.purged", "repository.deleted"}, s.repositoryChanged)
	s.Ledger.Subscribe("docs.entities", []string{"entity.created", "entity.changed", "entity.deleted"}, s.entityChanged)
}

// want has a repository looked at. Whoever finds that it is due already leaves it.
func (s *Service) want(ctx context.Context, tx *store.Tx, name string) error {
	name = strings.ToLower(name)
	n, err := tx.Exec(ctx, `INSERT INTO docs_due (repository) VALUES ($1) ON CONFLICT DO NOTHING`, name)
	if err != nil || n == 0 {
		return fault.Wrap(err, "have %s looked at", name)
	}
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{name}, queue.InsertOptions{Unique: name})
}

func (s *Service) repositoryChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	name, ok := strings.CutPrefix(e.Subject, "repository:")
	if !ok {
		return nil
	}
	if e.Type == "repository.pushed" {
		var push repository.Push
		if err := json.Unmarshal(e.Data, &push); err != nil {
			return fault.Wrap(err, "read push %s", e.ID)
		}
		if _, ok := push.Branch(); !ok {
			return nil
		}
	}
	return s.want(ctx, tx, name)
}

// entityChanged has the repository looked at that declares the entity, and the entity itself when it says where its docs are.
func (s *Service) entityChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	r, err := ref.Parse(e.Subject, "", "")
	if err != nil {
		return nil // a user, by an opaque name
	}
	if e.Type == "entity.deleted" {
		return s.release(ctx, tx, r)
	}
	from, says, err := s.Catalog.Whence(ctx, tx, r, annotations)
	switch {
	case err != nil:
		return err
	case from != "" && (says || things[r.Kind]):
		return s.want(ctx, tx, from)
	case says:
		return s.Queue.Insert(ctx, tx, jobEntity, entityArgs{r.String()}, queue.InsertOptions{Unique: r.String()})
	}
	return s.release(ctx, tx, r) // it may have said so before
}

// release forgets that an entity has docs, and has their repository looked at.
func (s *Service) release(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	var id, site string
	err := tx.QueryRow(ctx, `SELECT s.repository, s.id FROM docs_entities e JOIN docs_sites s ON s.id = e.site WHERE e.entity = $1`, r.String()).Scan(&id, &site)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM docs_entities WHERE entity = $1`, r.String()); err != nil {
		return fault.Wrap(err, "forget the docs of %s", r)
	}
	if err := s.tellOf(ctx, tx, site); err != nil {
		return err
	}
	repo, err := s.Repositories.Platform().ByIDTx(ctx, tx, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.want(ctx, tx, repo.FullName())
}

// lookAtEntity notes where an entity's docs are that was applied, and has them looked at.
func (s *Service) lookAtEntity(ctx context.Context, name string) error {
	r, err := ref.Parse(name, "", "")
	if err != nil {
		return nil
	}
	e, err := s.Catalog.Get(ctx, r)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at, err := s.spot(ctx, e, 0)
	if err == nil {
		err = s.assign(ctx, map[string]assigned{r.String(): {at, e.Space}})
	}
	if final(err) {
		return s.DB.Write(ctx, func(tx *store.Tx) error { return s.release(ctx, tx, r) })
	}
	return err
}

// final tells whether asking again would give the same: what is wrong is in documents and repositories, whose changes ask.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Denied, fault.TooLarge:
		return err != nil
	}
	return false
}

// assigned is where an entity's docs are.
type assigned struct {
	spot
	space string
}

// assign writes where entities' docs are, and has the repositories looked at in which there is something new.
func (s *Service) assign(ctx context.Context, all map[string]assigned) error {
	ids := map[string]string{} // of repositories, by name
	branches := map[string]string{}
	for _, a := range all {
		if _, known := ids[a.repository]; known {
			continue
		}
		r, err := s.Repositories.Platform().Get(ctx, a.repository)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		ids[a.repository], branches[a.repository] = r.ID, r.DefaultBranch
	}
	sites := map[string]string{}
	for entity, a := range all {
		if a.branch == "" {
			a.branch = branches[a.repository]
			all[entity] = a
		}
		sites[entity] = siteID(ids[a.repository], a.branch, a.folder)
	}
	var known map[string][2]string
	if err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = sitesOfEntities(ctx, tx, slices.Sorted(maps.Keys(all)))
		return err
	}); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(entity string, a assigned) bool {
		return ids[a.repository] == "" || known[entity] == [2]string{sites[entity], a.space} // without a repository it is asked again when it is there
	})
	if len(all) == 0 {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		moved := map[string]bool{} // sites that others have than before
		for _, entity := range slices.Sorted(maps.Keys(all)) {
			a, id, site := all[entity], ids[all[entity].repository], sites[entity]
			_, err := tx.Exec(ctx, `INSERT INTO docs_sites (id, repository, branch, folder, commit_id, title, pages, broken, error, updated)
 VALUES ($1,$2,$3,$4,'','',0,0,'',0) ON CONFLICT (id) DO UPDATE SET branch=excluded.branch`, site, id, a.branch, a.folder)
			if err != nil {
				return fault.Wrap(err, "note the site of %s", entity)
			}
			n, err := tx.Exec(ctx, `INSERT INTO docs_entities (entity, site, space) VALUES ($1,$2,$3)
 ON CONFLICT (entity) DO UPDATE SET site=excluded.site, space=excluded.space WHERE docs_entities.site <> excluded.site OR docs_entities.space <> excluded.space`, entity, site, a.space)
			if err != nil {
				return fault.Wrap(err, "note the docs of %s", entity)
			}
			if n == 0 {
				continue
			}
			moved[site], moved[known[entity][0]] = true, true
			if err := s.want(ctx, tx, a.repository); err != nil {
				return err
			}
		}
		for _, site := range slices.Sorted(maps.Keys(moved)) {
			if err := s.tellOf(ctx, tx, site); err != nil {
				return err
			}
		}
		return nil
	})
}

// look makes what is kept of a repository's docs what they are.
func (s *Service) look(ctx context.Context, name string) error {
	// From here on a change asks again.
	if err := s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM docs_due WHERE repository = $1`, name)
		return err
	}); err != nil {
		return err
	}
	repo, err := s.Repositories.Platform().Get(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return s.forgetPurged(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.lookAtDeclared(ctx, repo); err != nil {
		return err
	}
	return s.lookAtSites(ctx, repo)
}

const annotations = "backstage.io/techdocs-" // begin so

// lookAtDeclared notes where the docs of the entities are that a repository declares. A folder that declares many has none for
// them by convention, so that its files are read only where they say where docs are.
func (s *Service) lookAtDeclared(ctx context.Context, repo repository.Repository) error {
	files, err := s.Catalog.PlacedFiles(ctx, repo.FullName(), annotations, slices.Sorted(maps.Keys(things)))
	if err != nil {
		return err
	}
	folders := map[string]int{} // by how many entities of the kinds that have docs are declared there
	for _, f := range files {
		folders[f.Branch+":"+folderOf(f.Path)] += f.Plain
	}
	const at = 1000
	all := map[string]assigned{}
	for _, f := range files {
		if f.Says == 0 && folders[f.Branch+":"+folderOf(f.Path)] > sharedMost {
			continue
		}
		for after := ""; ; {
			placed, err := s.Catalog.Placed(ctx, f, annotations, after, at)
			if err != nil {
				return err
			}
			for _, p := range placed {
				if err := s.locate(ctx, repo, p, folders, all); err != nil {
					return err
				}
			}
			if len(all) >= at {
				if err := s.assign(ctx, all); err != nil {
					return err
				}
				all = map[string]assigned{}
			}
			if len(placed) < at {
				break
			}
			after = placed[len(placed)-1].Ref.String()
		}
	}
	return s.assign(ctx, all)
}

// locate finds where the docs of an entity are that a repository declares.
func (s *Service) locate(ctx context.Context, repo repository.Repository, p catalog.Placed, folders map[string]int, all map[string]assigned) error {
	e := catalog.Entity{Ref: p.Ref, Space: p.Space, File: catalog.File{Repository: repo.FullName(), Branch: p.Branch, Path: p.Path}}
	e.Document.Metadata.Annotations = p.Annotations
	at, err := s.spot(ctx, e, 0)
	if final(err) || err == nil && at.convention && folders[p.Branch+":"+at.folder] > sharedMost {
		return nil
	}
	if err == nil {
		all[p.Ref.String()] = assigned{at, p.Space}
	}
	return err
}

// lookAtSites reads the sites of a repository that may have changed.
func (s *Service) lookAtSites(ctx context.Context, repo repository.Repository) error {
	var sites []siteRow
	if err := s.DB.Write(ctx, func(tx *store.Tx) (err error) {
		if sites, err = sitesOf(ctx, tx, repo.ID); err == nil {
			sites, err = s.dropOrphans(ctx, tx, repo, sites)
		}
		return err
	}); err != nil {
		return err
	}
	heads := map[string]string{}     // of branches
	changed := map[string][]string{} // paths, by "from to"; nil for unknown
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
				if err := s.DB.Write(ctx, func(tx *store.Tx) error {
					_, err := tx.Exec(ctx, `UPDATE docs_sites SET commit_id = $1 WHERE id = $2 AND commit_id = $3`, head, row.id, row.commit)
					return err
				}); err != nil {
					return err
				}
				continue
			}
		}
		if err := s.readAgain(ctx, repo, row, head); err != nil {
			return err
		}
	}
	return nil
}

// dropOrphans forgets the sites that no entity has any more. The row of each is held first, as whoever assigns it to an entity
// holds it.
func (s *Service) dropOrphans(ctx context.Context, tx *store.Tx, repo repository.Repository, sites []siteRow) ([]siteRow, error) {
	var kept []siteRow
	for _, row := range sites {
		var id string
		var entities int
		if err := tx.QueryRow(ctx, `SELECT id FROM docs_sites WHERE id = $1`+tx.ForUpdate(), row.id).Scan(&id); err != nil {
			return nil, err
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM docs_entities WHERE site = $1`, row.id).Scan(&entities); err != nil {
			return nil, err
		}
		if entities > 0 {
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
		rows, err := tx.Query(ctx, `SELECT DISTINCT repository FROM docs_sites ORDER BY repository`)
		ids, err = store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
		return err
	})
	for i := 0; i < len(ids) && err == nil; i++ {
		var exists bool
		if exists, err = s.Repositories.Platform().Exists(ctx, ids[i]); err != nil || exists {
			continue
		}
		err = s.DB.Write(ctx, func(tx *store.Tx) error {
			sites, err := sitesOf(ctx, tx, ids[i])
			for j := 0; j < len(sites) && err == nil; j++ {
				err = dropSite(ctx, tx, sites[j].id)
			}
			return err
		})
	}
	return fault.Wrap(err, "forget the docs of repositories that are gone")
}

// readAgain reads a site at a commit and keeps what is there.
func (s *Service) readAgain(ctx context.Context, repo repository.Repository, row siteRow, head string) error {
	had := row
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
		row.title, row.pages, row.broken = cut(strings.ReplaceAll(site.Title, "\x00", ""), 300), len(site.Pages), len(a.report.Problems)
	case final(err):
		row.err = cut(fault.Message(err), 1000)
	default:
		return err
	}
	stale := errors.New("somebody has looked meanwhile")
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		var commit string
		err := tx.QueryRow(ctx, `SELECT commit_id FROM docs_sites WHERE id = $1`+tx.ForUpdate(), row.id).Scan(&commit)
		if err != nil || commit != had.commit {
			return cmp.Or(err, stale)
		}
		if err := putSite(ctx, tx, row, a.texts, store.Micros(s.Now())); err != nil {
			return err
		}
		if had.pages == 0 && row.pages == 0 {
			return nil
		}
		return s.tell(ctx, tx, repo, row)
	})
	if errors.Is(err, stale) || fault.Is(err, fault.NotFound) {
		return nil
	}
	return fault.Wrap(err, "keep the docs in %s of %s", path.Join("/", row.folder), repo.FullName())
}
