package docs

import (
	"context"
	"encoding/json"
	"maps"
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
	jobEntity = "docs.entity" // at one that has changed
	jobMany   = "docs.many"   // at many that have changed at once
)

type lookArgs struct {
	Repository string `json:"repository"` // NAMESPACE/NAME
}

type entityArgs struct {
	Entity string `json:"entity"`
}

type manyArgs struct {
	Entry string `json:"entry"` // of the ledger, which tells of them
}

const (
	// sharedMost is how many entities a folder declares, at most, for its README to be taken for theirs.
	sharedMost = 20
	// wholeMost is how many a repository declares, at most, for all of them to be looked at whenever it changes.
	wholeMost = 200
)

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: 10 * time.Minute, Concurrency: 2}, func(ctx context.Context, a lookArgs) error {
		return s.look(actor.AsSystem(ctx), a.Repository)
	})
	queue.Handle(s.Queue, jobEntity, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a entityArgs) error {
		return s.lookAtMany(actor.AsSystem(ctx), []string{a.Entity}, true)
	})
	queue.Handle(s.Queue, jobMany, queue.HandleOptions{Timeout: 10 * time.Minute, Concurrency: 1}, func(ctx context.Context, a manyArgs) error {
		if err := s.Catalog.Calm(ctx); err != nil {
			return err
		}
		return s.lookAtEntry(actor.AsSystem(ctx), a.Entry)
	})
	s.Ledger.Subscribe("docs.repositories", []string{"repository.pushed", "repository.restored", "repository.transferred", "repository.renamed", "repository.purged", "repository.deleted", "repository.changed"}, s.repositoryChanged)
	s.Ledger.Subscribe("docs.locations", []string{"location.moved"}, s.locationMoved)
	s.Ledger.Subscribe("docs.entities", []string{"entity.created", "entity.changed", "entity.deleted", "entities.changed"}, s.entityChanged)
}

// want has a repository looked at, and all that it declares where whole says so, also when a look is under way.
func (s *Service) want(ctx context.Context, tx *store.Tx, name string, whole bool) error {
	name = strings.ToLower(name)
	_, err := tx.Exec(ctx, `INSERT INTO docs_due (repository, whole, stamp) VALUES ($1, $2, $3) ON CONFLICT (repository) DO UPDATE SET
 whole = CASE WHEN docs_due.whole > excluded.whole THEN docs_due.whole ELSE excluded.whole END, stamp = excluded.stamp`, name, whole, ref.NewID("due", s.Now()))
	if err != nil {
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
	return s.want(ctx, tx, name, e.Type != "repository.pushed")
}

// locationMoved has all looked at that a location declares: where its files are is where their docs are.
func (s *Service) locationMoved(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	for _, r := range e.Refs {
		if name, ok := strings.CutPrefix(r, "repository:"); ok {
			return s.want(ctx, tx, name, true)
		}
	}
	return nil
}

// entityChanged has entities looked at of which something says that they may have docs, and those that are gone.
func (s *Service) entityChanged(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	if e.Type == "entities.changed" {
		return s.Queue.Insert(ctx, tx, jobMany, manyArgs{e.ID}, queue.InsertOptions{Unique: e.ID})
	}
	r, err := ref.Parse(e.Subject, "", "")
	if err != nil {
		return nil // a user, by an opaque name
	}
	if e.Type == "entity.deleted" { // by a job too, so that it comes after one that may be under way
		return s.Queue.Insert(ctx, tx, jobEntity, entityArgs{r.String()}, queue.InsertOptions{Unique: r.String()})
	}
	from, says, err := s.Catalog.Whence(ctx, tx, r, annotations)
	switch {
	case err != nil:
		return err
	case says || from != "" && things[r.Kind]:
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
	return s.want(ctx, tx, repo.FullName(), true)
}

// lookAtEntry looks at what an entry changed.
func (s *Service) lookAtEntry(ctx context.Context, entry string) error {
	changes, err := s.Catalog.ChangesOf(ctx, entry)
	if err != nil {
		return err
	}
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.Ref.String()
	}
	return s.lookAtMany(ctx, names, true)
}

// lookAtMany looks at entities, a part after another. After each it rests for longer than it worked: much more is likely to be
// under way, which matters more. With some that are gone, others of their folders may have docs by convention.
func (s *Service) lookAtMany(ctx context.Context, names []string, neighbours bool) error {
	const rests = 3
	for part := range slices.Chunk(names, manyAtATime) {
		began := time.Now()
		gone, err := s.lookAtEntities(ctx, part)
		if err != nil {
			return err
		}
		if neighbours && len(gone) > 0 {
			if err := s.lookAround(ctx, gone); err != nil {
				return err
			}
		}
		if len(part) < manyAtATime {
			return nil
		}
		select {
		case <-time.After(rests * time.Since(began)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// lookAround has the repositories looked at in which entities were declared.
func (s *Service) lookAround(ctx context.Context, gone []string) error {
	gone = slices.DeleteFunc(gone, func(name string) bool { kind, _, _ := strings.Cut(name, ":"); return !things[kind] })
	repositories, err := s.Catalog.LastDeclaredIn(ctx, gone)
	if err != nil || len(repositories) == 0 {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, name := range repositories {
			if err := s.want(ctx, tx, name, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookAtEntities notes where the docs of entities are, and gives those that are gone.
func (s *Service) lookAtEntities(ctx context.Context, names []string) (gone []string, err error) {
	declared, err := s.Catalog.Declared(ctx, names, annotations)
	if err != nil {
		return nil, err
	}
	without, there := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		without[name] = true
	}
	folders := map[[3]string]int{}
	all := map[string]assigned{}
	for _, p := range declared {
		there[p.Ref.String()] = true
		at, err := s.spot(ctx, placed(p.Repository, p.Placed), 0)
		if err == nil && at.convention {
			key := [3]string{p.Repository, p.Branch, at.folder}
			if _, counted := folders[key]; !counted {
				if folders[key], err = s.Catalog.CountPlain(ctx, p.Repository, p.Branch, at.folder, annotations, slices.Sorted(maps.Keys(things)), sharedMost+1); err != nil {
					return nil, err
				}
			}
			if folders[key] > sharedMost {
				continue
			}
		}
		if final(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all[p.Ref.String()] = assigned{at, p.Space}
		delete(without, p.Ref.String())
	}
	if err := s.assign(ctx, all); err != nil {
		return nil, err
	}
	for _, name := range names {
		if !there[name] {
			gone = append(gone, name)
		}
	}
	return gone, s.releaseAll(ctx, slices.Sorted(maps.Keys(without)))
}

// releaseAll is release for those of many entities that have docs.
func (s *Service) releaseAll(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var known map[string][2]string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = sitesOfEntities(ctx, tx, names)
		return err
	})
	if err != nil || len(known) == 0 {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(known)) {
			r, err := ref.Parse(name, "", "")
			if err == nil {
				err = s.release(ctx, tx, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
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
	for part := range slices.Chunk(slices.Sorted(maps.Keys(all)), manyAtATime) {
		if err := s.DB.Write(store.Long(ctx), func(tx *store.Tx) error {
			noted, moved := map[string]bool{}, map[string]bool{} // sites; moved are those that others have than before
			w := &store.Where{}
			var rows []string
			for _, entity := range part {
				a, site := all[entity], sites[entity]
				if !noted[site] {
					_, err := tx.Exec(ctx, `INSERT INTO docs_sites (id, repository, branch, folder, commit_id, title, pages, broken, error, version, digest, updated)
 VALUES ($1,$2,$3,$4,'','',0,0,'','','',0) ON CONFLICT (id) DO UPDATE SET branch=excluded.branch`, site, ids[a.repository], a.branch, a.folder)
					if err != nil {
						return fault.Wrap(err, "note the site of %s", entity)
					}
					if err := s.want(ctx, tx, a.repository, false); err != nil {
						return err
					}
				}
				noted[site], moved[site], moved[known[entity][0]] = true, true, true
				rows = append(rows, "("+w.Arg(entity)+","+w.Arg(site)+","+w.Arg(a.space)+")")
			}
			_, err := tx.Exec(ctx, `INSERT INTO docs_entities (entity, site, space) VALUES `+strings.Join(rows, ",")+`
 ON CONFLICT (entity) DO UPDATE SET site=excluded.site, space=excluded.space`, w.Args...)
			if err != nil {
				return fault.Wrap(err, "note the docs of entities")
			}
			for _, site := range slices.Sorted(maps.Keys(moved)) {
				if err := s.tellOf(ctx, tx, site); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// look makes what is kept of a repository's docs what they are.
func (s *Service) look(ctx context.Context, name string) error {
	var whole bool
	var stamp string
	if err := s.DB.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT whole, stamp FROM docs_due WHERE repository = $1`, name).Scan(&whole, &stamp)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	repo, err := s.Repositories.Platform().Get(ctx, name)
	switch {
	case fault.Is(err, fault.NotFound):
		err = s.forgetPurged(ctx)
	case err == nil:
		err = s.lookAtRepository(ctx, repo, whole)
	}
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM docs_due WHERE repository = $1 AND stamp = $2`, name, stamp)
		return fault.Wrap(err, "note that %s was looked at", name)
	})
}

func (s *Service) lookAtRepository(ctx context.Context, repo repository.Repository, whole bool) error {
	if !whole { // those that have changed are looked at by themselves; of few, those that could not be placed before are too
		n, err := s.Catalog.CountDeclared(ctx, repo.FullName(), wholeMost+1)
		if err != nil {
			return err
		}
		whole = n <= wholeMost
	}
	if whole {
		if err := s.lookAtDeclared(ctx, repo); err != nil {
			return err
		}
	}
	return s.lookAtSites(ctx, repo)
}

const (
	annotations = "backstage.io/techdocs-" // begin so
	atATime     = 1000

	manyAtATime = 200 // in a transaction, so that others who write get their turn soon
)

// lookAtDeclared notes where the docs of the entities are that a repository declares, and of those that had some there.
func (s *Service) lookAtDeclared(ctx context.Context, repo repository.Repository) error {
	kinds := slices.Sorted(maps.Keys(things))
	for _, list := range []func(after string) ([]string, error){
		func(after string) ([]string, error) {
			return s.Catalog.DeclaredIn(ctx, repo.FullName(), annotations, kinds, after, atATime)
		},
		func(after string) ([]string, error) { return s.assignedIn(ctx, repo.ID, after, atATime) },
	} {
		for after := ""; ; {
			names, err := list(after)
			if err == nil {
				err = s.lookAtMany(ctx, names, false)
			}
			if err != nil {
				return err
			}
			if len(names) < atATime {
				break
			}
			after = names[len(names)-1]
		}
	}
	return nil
}

// placed gives as much of an entity as says where its docs are.
func placed(repository string, p catalog.Placed) catalog.Entity {
	e := catalog.Entity{Ref: p.Ref, Space: p.Space}
	if repository != "" {
		e.File = catalog.File{Repository: repository, Branch: p.Branch, Path: p.Path}
	}
	e.Document.Metadata.Annotations = p.Annotations
	return e
}
