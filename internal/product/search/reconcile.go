package search

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/search/index"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// followed are the entries that tell of what is not in the catalog.
var followed = []string{"docs.changed", "run.created", "repository.renamed", "repository.transferred", "repository.deleted", "repository.restored", "repository.purged"}

const (
	again    = time.Second           // after a failure
	together = 50 * time.Millisecond // what changes within is taken at once
)

// position is how far into the ledger the index has come.
type position struct{ catalog, others int64 }

// Run makes the index, and keeps it at what there is until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = actor.AsSystem(ctx)
	var at position
	for {
		var err error
		if s.built.Load() {
			at, err = s.follow(ctx, at)
		} else {
			at, err = s.build(ctx)
		}
		pause := together
		if err != nil && ctx.Err() == nil {
			s.Log.Error("keep the index of the search; it is tried again", "error", err)
			pause = again
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
		if err == nil {
			if err := s.Ledger.Wait(ctx, min(at.catalog, at.others)); err != nil && ctx.Err() == nil {
				s.Log.Error("wait for what changes", "error", err)
				if err := rest(ctx, again); err != nil {
					return err
				}
			}
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gently does a part of much work, and then leaves the processor to others for longer than that took.
func gently(ctx context.Context, fn func() error) error {
	began := time.Now()
	if err := fn(); err != nil {
		return err
	}
	return rest(ctx, min(3*time.Since(began), 300*time.Millisecond))
}

// build makes the index of all that there is. What changes meanwhile is found in the ledger.
func (s *Service) build(ctx context.Context) (at position, err error) {
	s.index.Reset() // of what an earlier try left, which may be gone by now
	if at.others, err = s.head(ctx); err != nil {
		return at, err
	}
	if at.catalog, err = s.Catalog.Feed(ctx, -1, s.take(ctx)); err != nil {
		return at, err
	}
	sites, err := s.Docs.Sites(ctx, nil)
	if err != nil {
		return at, err
	}
	for _, site := range sites {
		if err := gently(ctx, func() error { return s.takeSite(ctx, site) }); err != nil {
			return at, err
		}
	}
	if err := s.takeRuns(ctx); err != nil {
		return at, err
	}
	s.index.Tidy()
	s.built.Store(true)
	size := s.index.Stats()
	s.Log.Info("the index of the search is made", "things", size.Things, "bytes", size.Bytes)
	return at, nil
}

func (s *Service) head(ctx context.Context) (position int64, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		position, _, err = s.Ledger.Head(ctx, tx)
		return err
	})
	return position, err
}

// take gives what is done with a part of what the catalog feeds.
func (s *Service) take(ctx context.Context) func([]catalog.Fed) error {
	return func(part []catalog.Fed) error {
		put := func() error {
			docs := make([]index.Doc, 0, len(part))
			var gone []string
			for _, f := range part {
				if f.Document == nil {
					gone = append(gone, f.Ref)
				} else {
					docs = append(docs, entityDoc(f))
				}
			}
			s.index.Put(docs...)
			s.index.Delete(gone...)
			return nil
		}
		const few = 50
		if len(part) <= few {
			return put()
		}
		return gently(ctx, put)
	}
}

// takeSite has the index know a site as it is.
func (s *Service) takeSite(ctx context.Context, site Site) error {
	repository, err := s.repository(ctx, site.Repository)
	if err != nil {
		return err
	}
	sections, err := s.Docs.Sections(ctx, site.ID, nil)
	if err != nil {
		return err
	}
	var space string
	if repository != nil {
		space = repository.Space
	}
	s.shelf.put(site, repository)
	docs := make([]index.Doc, len(sections))
	now := make(map[string]bool, len(sections))
	for i, section := range sections {
		docs[i] = sectionDoc(site.ID, space, section)
		now[docs[i].Key] = true
	}
	var gone []string
	for _, key := range s.index.Keys(docsKey + site.ID + "/") {
		if !now[key] {
			gone = append(gone, key)
		}
	}
	const atOnce = 500
	for part := range slices.Chunk(docs, atOnce) {
		s.index.Put(part...)
	}
	s.index.Delete(gone...)
	return nil
}

// repository gives what a repository is now; nil when it is gone.
func (s *Service) repository(ctx context.Context, id string) (*Repository, error) {
	r, err := s.Repositories.Platform().ByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &Repository{ID: id, Name: r.FullName(), Space: r.Space}, nil
}

// takeRuns has the index know the newest runs.
func (s *Service) takeRuns(ctx context.Context) error {
	cursor := ""
	for n := 0; n < keptRuns; {
		var page run.Page
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			page, err = s.Runs.ListTx(ctx, tx, run.Query{Limit: 200, Cursor: cursor})
			return err
		})
		if err != nil {
			return err
		}
		docs := make([]index.Doc, len(page.Runs))
		for i, r := range page.Runs {
			docs[i] = runDoc(r)
		}
		if err := gently(ctx, func() error { s.index.Put(docs...); return nil }); err != nil {
			return err
		}
		if n += len(docs); page.Next == "" {
			break
		}
		cursor = page.Next
	}
	return nil
}

// follow has the index know what changed since a position.
func (s *Service) follow(ctx context.Context, at position) (position, error) {
	var err error
	if at.catalog, err = s.Catalog.Feed(ctx, at.catalog, s.take(ctx)); err != nil {
		return at, err
	}
	for {
		var entries []ledger.Entry
		var head int64
		const most = 200
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if head, _, err = s.Ledger.Head(ctx, tx); err != nil || head == at.others {
				return err
			}
			entries, err = s.Ledger.List(ctx, tx, ledger.Query{After: at.others, Types: followed, Limit: most})
			return err
		})
		if err != nil {
			return at, err
		}
		if err := s.takeEntries(ctx, entries); err != nil {
			return at, err
		}
		if len(entries) < most {
			at.others = head
			return at, nil
		}
		at.others = entries[most-1].Position
	}
}

// takeEntries has the index know what entries tell of, as it is now.
func (s *Service) takeEntries(ctx context.Context, entries []ledger.Entry) error {
	sites, names := map[string]bool{}, map[string]bool{}
	var runs []string
	for _, e := range entries {
		var data struct{ Site, From, Repository string }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			continue // it has no object, so it tells nothing of these
		}
		switch e.Type {
		case "docs.changed":
			sites[data.Site] = true
		case "run.created":
			runs = append(runs, e.Subject)
		default:
			names[strings.TrimPrefix(e.Subject, "repository:")] = true
			names[data.From], names[data.Repository] = true, true
		}
	}
	if err := s.takeNewRuns(ctx, runs); err != nil {
		return err
	}
	if err := s.takeRepositories(ctx, names, sites); err != nil {
		return err
	}
	return s.takeSites(ctx, sites)
}

// takeRepositories learns what repositories that are called so, or were, are now. Their sites are wanted, too, where their space
// has changed.
func (s *Service) takeRepositories(ctx context.Context, names, sites map[string]bool) error {
	if len(names) == 0 {
		return nil
	}
	for _, id := range s.shelf.known(names) {
		now, err := s.repository(ctx, id)
		if err != nil {
			return err
		}
		s.shelf.set(id, now)
		for _, site := range s.shelf.of(id) {
			sites[site.ID] = true
		}
	}
	return nil
}

func (s *Service) takeSites(ctx context.Context, ids map[string]bool) error {
	delete(ids, "")
	all := make([]string, 0, len(ids))
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	const atOnce = 500
	for part := range slices.Chunk(all, atOnce) {
		sites, err := s.Docs.Sites(ctx, part)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, site := range sites {
			there[site.ID] = true
			if err := gently(ctx, func() error { return s.takeSite(ctx, site) }); err != nil {
				return err
			}
		}
		for _, id := range part {
			if !there[id] {
				s.shelf.forget(id)
				s.index.Delete(s.index.Keys(docsKey + id + "/")...)
			}
		}
	}
	return nil
}

// takeNewRuns has the index know runs, and leave out the oldest when they have become many.
func (s *Service) takeNewRuns(ctx context.Context, ids []string) error {
	var docs []index.Doc
	for _, id := range ids {
		var r run.Run
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			r, err = s.Runs.GetTx(ctx, tx, id)
			return err
		})
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		docs = append(docs, runDoc(r))
	}
	s.index.Put(docs...)
	if s.runs += len(docs); s.runs < keptRuns/10 {
		return nil
	}
	s.runs = 0
	if keys := s.index.Keys(runKey); len(keys) > keptRuns {
		slices.Sort(keys)
		s.index.Delete(keys[:len(keys)-keptRuns]...)
	}
	return nil
}
