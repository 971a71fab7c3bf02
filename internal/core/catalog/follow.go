package catalog

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// follower keeps this server's index at what is in the database: it is told of this server's own changes when they are
// committed, and reads those of others when the ledger tells of them. Both may bring the same change, in either order.
type follower struct {
	index     *index.Index
	following atomic.Bool // Run keeps it up; otherwise who asks does

	mu       sync.Mutex // of who reads from the database
	loaded   bool
	position int64                       // in the ledger
	path     string                      // of the file that has the index for the next start; "" when it isn't kept
	kept     uint64                      // the index's revision that the file has
	opened   func() (openedIndex, error) // reads the file; nil once that is done with

	ownMu sync.Mutex
	own   map[string]bool // entries whose changes the index knows, or is about to be told of
}

// changeTypes are the entries that tell of entities, whose versions name them, and of locations.
var changeTypes = []string{"entity.", "entities.", locationEntry}

const locationEntry = "location."

const (
	readAtOnce  = 500 // rows
	followAgain = time.Second
)

// indexed has the index know a change once it is committed.
func (s *Service) indexed(tx *store.Tx, e row, action Action, entry string) error {
	if action == Deleted {
		tx.OnCommit(func() {
			s.follower.knows(entry)
			s.follower.index.Delete(e.Ref.String(), e.Version)
		})
		return nil
	}
	prepared, err := index.Prepare(e.forIndex())
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		s.follower.knows(entry)
		s.follower.index.Put(prepared)
	})
	return nil
}

// knows comes before the index is told of what the entry did.
func (f *follower) knows(entry string) {
	f.ownMu.Lock()
	defer f.ownMu.Unlock()
	f.own[entry] = true
}

// disown has all entries read that the ledger tells of from now on, also those of this server.
func (f *follower) disown() {
	f.ownMu.Lock()
	defer f.ownMu.Unlock()
	f.own = map[string]bool{}
}

func (e row) forIndex() index.Entity {
	return index.Entity{
		Ref: e.Ref.String(), UID: e.UID, Space: e.Space, Source: e.Source, File: e.path, Owner: e.Owner.String(), Version: e.Version,
		Created: store.Micros(e.Created), Updated: store.Micros(e.Updated), Document: e.document, Relations: forIndex(e.declared),
	}
}

func forIndex(relations []document.Relation) []index.Relation {
	list := make([]index.Relation, len(relations))
	for i, r := range relations {
		list[i] = index.Relation{Type: r.Type, Target: r.Target.String()}
	}
	return list
}

// current gives the index, loaded. While nobody follows the ledger it is brought up to date first.
func (s *Service) current(ctx context.Context) (*index.Index, error) {
	if !s.follower.following.Load() {
		if err := s.catchUp(ctx); err != nil {
			return nil, fault.Wrap(err, "read the catalog's index")
		}
	}
	return s.follower.index, nil
}

// follow keeps the index up until ctx ends.
func (s *Service) follow(ctx context.Context) {
	defer s.follower.following.Store(false)
	for ctx.Err() == nil {
		err := s.catchUp(ctx)
		if err == nil {
			s.follower.index.Keep("metadata.name")
			s.follower.following.Store(true)
			s.follower.mu.Lock()
			position := s.follower.position
			s.follower.mu.Unlock()
			err = s.ledger.Wait(ctx, position)
		}
		if err != nil && ctx.Err() == nil {
			s.follower.following.Store(false) // whoever asks tries, and is told
			s.log.Error("follow the catalog's changes; it is tried again", "error", err)
			select {
			case <-time.After(followAgain):
			case <-ctx.Done():
			}
		}
	}
}

// catchUp reads what the ledger tells of and the index does not know.
func (s *Service) catchUp(ctx context.Context) error {
	f := &s.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.loaded {
		if restored, err := s.restoreIndex(ctx); err != nil {
			return err
		} else if !restored {
			return s.load(ctx)
		}
		f.loaded = true
	}
	for {
		var entries []ledger.Entry
		var head int64
		const most = 500
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			if head, _, err = s.ledger.Head(ctx, tx); err != nil || head == f.position {
				return err
			}
			if entries, err = s.ledger.List(ctx, tx, ledger.Query{After: f.position, Types: changeTypes, Limit: most}); err != nil {
				return err
			}
			if err := f.touch(entries); err != nil {
				return err
			}
			return s.readChanges(ctx, tx, f.unknown(entries))
		})
		if err != nil {
			return err
		}
		f.forget(entries)
		if len(entries) < most {
			f.position = head
			return nil
		}
		f.position = entries[most-1].Position
	}
}

// unknown gives the ids of entries that others appended.
func (f *follower) unknown(entries []ledger.Entry) (ids []string) {
	f.ownMu.Lock()
	defer f.ownMu.Unlock()
	for _, e := range entries {
		if !f.own[e.ID] && !strings.HasPrefix(e.Type, locationEntry) && e.Type != marked {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// touch has another revision of what says otherwise than before where it is from, or what is wrong with it.
func (f *follower) touch(entries []ledger.Entry) error {
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Type, locationEntry):
			f.index.TouchWhere(index.KeySource, locationPrefix+e.Subject)
		case e.Type == marked:
			var g group
			if err := json.Unmarshal(e.Data, &g); err != nil {
				return fault.Wrap(err, "read what was marked")
			}
			f.index.TouchWhere(g.Key, g.Value)
		}
	}
	return nil
}

func (f *follower) forget(entries []ledger.Entry) {
	f.ownMu.Lock()
	defer f.ownMu.Unlock()
	for _, e := range entries {
		delete(f.own, e.ID)
	}
}

// readChanges tells the index of the versions that entries made.
func (s *Service) readChanges(ctx context.Context, tx *store.Tx, entries []string) error {
	if len(entries) == 0 {
		return nil
	}
	in, args := numbered(1, entries)
	rows, err := tx.Query(ctx, `SELECT ref, version FROM entity_versions WHERE entry IN (`+in+`)`, args...)
	changed := map[string]int{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var name string
		var version int
		err := r.Scan(&name, &version)
		if version > s.follower.index.Version(name) {
			changed[name] = max(version, changed[name])
		}
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	names := make([]string, 0, readAtOnce)
	flush := func() error {
		err := s.readRows(ctx, tx, names, changed)
		names = names[:0]
		return err
	}
	for name := range changed {
		if names = append(names, name); len(names) == readAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// readRows tells the index of entities as they are now.
func (s *Service) readRows(ctx context.Context, tx *store.Tx, names []string, changed map[string]int) error {
	if len(names) == 0 {
		return nil
	}
	in, args := numbered(1, names)
	rows, err := tx.Query(ctx, `SELECT `+indexColumns+` FROM entities WHERE ref IN (`+in+`)`, args...)
	found, err := store.Collect(rows, err, scanIndexed)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range found {
		there[e.Ref] = true
	}
	if err := s.follower.take(found); err != nil {
		return err
	}
	for _, name := range names {
		if !there[name] {
			s.follower.index.Delete(name, changed[name])
		}
	}
	return nil
}

const indexColumns = `ref, uid, space, source, path, owner, version, created, updated, document, relations`

func scanIndexed(r store.Row) (storedEntity, error) {
	var e storedEntity
	var text string
	err := r.Scan(&e.Ref, &e.UID, &e.Space, &e.Source, &e.File, &e.Owner, &e.Version, &e.Created, &e.Updated, &text, &e.relations)
	e.Document = []byte(text)
	return e, err
}

// load reads all entities. What is committed meanwhile is either told at its commit or found in the ledger.
func (s *Service) load(ctx context.Context) error {
	f := &s.follower
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		f.position, _, err = s.ledger.Head(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	parts := make(chan []storedEntity, 4)
	var failed atomic.Pointer[error]
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for part := range parts {
				if err := f.take(part); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error { return readAll(ctx, tx, parts) })
	close(parts)
	group.Wait()
	if worse := failed.Load(); err == nil && worse != nil {
		err = *worse
	}
	f.loaded = err == nil
	return err
}

// storedEntity is an entity as it was read, of which the relations are yet to be.
type storedEntity struct {
	index.Entity
	relations string
}

// readAll sends every entity.
func readAll(ctx context.Context, tx *store.Tx, parts chan<- []storedEntity) error {
	rows, err := tx.Query(ctx, `SELECT `+indexColumns+` FROM entities`)
	if err != nil {
		return err
	}
	defer rows.Close()
	part := make([]storedEntity, 0, readAtOnce)
	for rows.Next() {
		e, err := scanIndexed(rows)
		if err != nil {
			return err
		}
		if part = append(part, e); len(part) == readAtOnce {
			parts <- part
			part = make([]storedEntity, 0, readAtOnce)
		}
	}
	parts <- part
	return rows.Err()
}

// take tells the index of entities.
func (f *follower) take(list []storedEntity) error {
	prepared := make([]index.Prepared, len(list))
	for i, e := range list {
		declared, err := readRelations(e.relations)
		if err != nil {
			return err
		}
		e.Relations = forIndex(declared)
		if prepared[i], err = index.Prepare(e.Entity); err != nil {
			return err
		}
	}
	f.index.Put(prepared...)
	return nil
}
