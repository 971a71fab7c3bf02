package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// A change of many entities goes in chunks, each a transaction. The next chunk is as large as the time allows that the
// last one took, so that others who write get their turn soon; on PostgreSQL only who writes
// the same entities waits for it (docs/adr/0011-kept-index-and-chunks.md).
const (
	firstChunk   = 200
	leastChunk   = 20
	mostChunk    = 2000
	chunkTime    = 10 * time.Millisecond
	aloneTime    = 75 * time.Millisecond // where no other writer waits for a chunk
	mostOwnEntry = 50                    // changes of a refresh that have an entry each; more share one for each chunk
	firstGrown   = 2000                  // changes of a reading, and ten times as many each time, after which plans are made anew
)

// flush gives the service what is to be taken in chunks, as far as these are full; with all, the rest too.
func (r *reading) flush(ctx context.Context, all bool) error {
	for len(r.bulk) >= r.size || (all || r.waiting > bytesInChunk) && len(r.bulk) > 0 {
		n, size := 0, 0
		for n < min(r.size, len(r.bulk)) && size <= bytesInChunk {
			size += len(r.bulk[n].text)
			n++
		}
		r.waiting -= size
		part := r.bulk[:n]
		if err := r.bringChunk(ctx, part); err != nil {
			return err
		}
		clear(part)
		r.bulk = r.bulk[n:]
		if r.brought += n; r.brought >= r.grown {
			r.grown *= 10
			if err := r.s.db.Analyze(ctx, "entities", "entity_statuses"); err != nil {
				r.s.log.WarnContext(ctx, "the database was not told that there are many more entities", "error", err)
			}
		}
	}
	if len(r.bulk) == 0 {
		r.bulk = nil
	}
	return nil
}

// bringChunk takes changes in; where they are refused they are tried one by one, so that only the bad ones keep their last
// good entity.
func (r *reading) bringChunk(ctx context.Context, part []change) error {
	items, err := r.s.bringMany(ctx, r, part)
	if err == nil {
		r.note(items, part)
		return nil
	}
	if errors.Is(err, errSuperseded) || fault.KindOf(err) == fault.Unavailable || ctx.Err() != nil {
		return r.own(err)
	}
	for i := range part {
		one := part[i : i+1]
		items, err := r.s.bringMany(ctx, r, one)
		if errors.Is(err, errSuperseded) || ctx.Err() != nil {
			return r.own(err)
		}
		if err != nil {
			r.refuse(one[0], err)
			continue
		}
		r.note(items, one)
	}
	return nil
}

// paced has the next chunk be as large as can be done in the time for one, by what the last one took.
func (r *reading) paced(n int, took time.Duration) {
	within := chunkTime
	if r.s.db.Dialect() == store.Postgres {
		within = aloneTime
	}
	if n < r.size && took < within {
		return // a rest, which tells little
	}
	wanted := int(float64(n) * float64(within) / float64(max(took, time.Millisecond)))
	r.size = max(leastChunk, min(max(wanted, n/2), n*5/4, mostChunk))
}

// present is what is asked of an entity that may change.
type present struct {
	uid, space, source, path, etag, err, createdBy string
	orphan                                         int64
	version                                        int
	created                                        int64
}

// bringMany makes entities what changes of a location say, in one transaction.
func (s *Service) bringMany(ctx context.Context, r *reading, part []change) (items []Item, err error) {
	var tell []written
	var took time.Duration // without the commit, which others may share
	told := 0
	err = s.db.Write(store.Long(ctx), func(tx *store.Tx) error {
		began := time.Now()
		defer func() { took = time.Since(began) }()
		told, tell = 0, nil
		items = make([]Item, len(part))
		if _, err := current(ctx, tx, r.location); err != nil {
			return err
		}
		had, err := presentOf(ctx, tx, part)
		if err != nil {
			return err
		}
		var changed []int
		for i := range part {
			old, there := had[part[i].name]
			if items[i], err = s.fate(ctx, tx, part[i], old, there); err != nil {
				return err
			}
			if items[i].Action == Created || items[i].Action == Updated {
				changed = append(changed, i)
			}
		}
		if len(changed) == 0 {
			return nil
		}
		if told = len(changed); r.told+told > mostOwnEntry {
			tell, err = s.writeMany(ctx, tx, r, part, changed, items, had)
			return err
		}
		for _, i := range changed {
			c := part[i]
			if c.document, err = document.FromJSON(c.text); err != nil {
				return err
			}
			c.document.Origin = part[i].document.Origin
			if items[i], err = s.put(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.told += told; r.told > mostOwnEntry && !r.many {
		r.many = true
		s.bringing.Add(1)
	}
	r.paced(len(part), took)
	if len(tell) > 0 {
		r.written <- tell
	}
	return items, nil
}

// presentOf gives what there is of the entities that changes name.
func presentOf(ctx context.Context, tx *store.Tx, part []change) (map[ref.Entity]present, error) {
	names := make([]string, len(part))
	for i, c := range part {
		names[i] = c.name.String()
	}
	slices.Sort(names)
	had := make(map[ref.Entity]present, len(part))
	err := among(tx.Dialect(), nil, names, func(in string, args []any) error {
		rows, err := tx.Query(ctx, `SELECT ref, uid, space, source, path, etag, error, version, created, created_by, orphan FROM entities WHERE ref `+in+` ORDER BY ref`+tx.ForUpdate(), args...)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var name string
			var p present
			err := r.Scan(&name, &p.uid, &p.space, &p.source, &p.path, &p.etag, &p.err, &p.version, &p.created, &p.createdBy, &p.orphan)
			had[parseStored(name)] = p
			return struct{}{}, err
		})
		return fault.Wrap(err, "read what there is of entities")
	})
	return had, err
}

// fate tells what a change does; one that takes back no more than an error is done here.
func (s *Service) fate(ctx context.Context, tx *store.Tx, c change, old present, there bool) (Item, error) {
	item := Item{Ref: c.name, Action: Created}
	switch {
	case !there:
		return item, nil
	case c.twice(old.source, old.space, old.path):
		item.Action, item.Message = Conflict, isTwice(old.path)
		return item, nil
	case old.source != c.source && old.orphan == 0 || old.space != c.space:
		var err error
		item.Action = Conflict
		item.Message, err = s.belongs(ctx, tx, &row{Entity: Entity{Source: old.source, Space: old.space}}, c)
		return item, err
	case old.etag != c.etag || old.path != c.path || old.source != c.source || old.orphan == 1: // it is another thing to say where it is from
		item.Action = Updated
		return item, nil
	}
	item.Action = Unchanged
	if old.err == "" {
		return item, nil
	}
	_, err := s.setErrors(ctx, tx, []string{c.name.String()}, "")
	return item, err
}

// written is an entity after a change that shares its entry with others.
type written struct{ row }

// indexMany has the index know what was committed, until that ends.
func (s *Service) indexMany(all <-chan []written) {
	for part := range all {
		prepared := make([]index.Prepared, 0, len(part))
		for _, e := range part {
			one, err := index.Prepare(e.forIndex())
			if err != nil { // its text was written from values a moment ago
				s.log.Error("an entity is not in the index", "entity", e.Ref.String(), "error", err)
				continue
			}
			prepared = append(prepared, one)
		}
		s.follower.index.Put(prepared...)
	}
}

// writeMany writes changed entities with their versions, under one entry of the ledger.
func (s *Service) writeMany(ctx context.Context, tx *store.Tx, r *reading, part []change, changed []int, items []Item, had map[ref.Entity]present) ([]written, error) {
	versions, err := nextVersions(ctx, tx, part, changed, had)
	if err != nil {
		return nil, err
	}
	counts := map[Action]int{}
	for _, i := range changed {
		counts[items[i].Action]++
	}
	entry, err := s.tellMany(ctx, tx, r.location.Space, r.location.source(), r.commit, r.location.Repository, counts)
	if err != nil {
		return nil, err
	}
	now, who := s.now(), actorID(ctx)
	all := make([]written, 0, len(changed))
	for _, i := range changed {
		c := part[i]
		e := row{path: c.path, document: c.text, declared: c.declared}
		e.Ref, e.Space, e.Source, e.Commit, e.Etag, e.Type, e.Owner = c.name, c.space, c.source, c.commit, c.etag, c.kindOf, c.owner()
		e.Updated, e.UpdatedBy, e.Created, e.CreatedBy, e.Version = now, who, now, who, versions[c.name]
		if old, there := had[c.name]; there {
			e.UID, e.Created, e.CreatedBy = old.uid, store.FromMicros(old.created), old.createdBy
		} else {
			e.UID = ref.NewID("ent", now)
		}
		all = append(all, written{e})
	}
	if err := saveMany(ctx, tx, all); err != nil {
		return nil, err
	}
	rows := make([][]any, len(all))
	for k, i := range changed {
		e := all[k]
		rows[k] = []any{e.Ref.String(), e.Version, e.UID, e.Space, e.Source, string(items[i].Action), string(e.document), e.Commit, who, store.Micros(now), entry}
	}
	_, err = store.InsertMany(ctx, tx, insertVersion, "", rows)
	tx.OnCommit(func() { s.follower.knows(entry) })
	return all, fault.Wrap(err, "write versions of entities")
}

const insertVersion = `INSERT INTO entity_versions (ref, version, uid, space, source, action, document, git_commit, actor, time, entry)`

// nextVersions gives the number of the version that each change makes, which counts over deletions.
func nextVersions(ctx context.Context, tx *store.Tx, part []change, changed []int, had map[ref.Entity]present) (map[ref.Entity]int, error) {
	next := make(map[ref.Entity]int, len(changed))
	var fresh []string
	for _, i := range changed {
		name := part[i].name
		next[name] = had[name].version + 1
		if _, there := had[name]; !there {
			fresh = append(fresh, name.String())
		}
	}
	err := among(tx.Dialect(), nil, fresh, func(in string, args []any) error {
		query := `SELECT ref, MAX(version) FROM entity_versions WHERE ref ` + in + ` GROUP BY ref`
		if tx.Dialect() == store.Postgres { // without statistics it would read the whole table for that
			query = `SELECT ref, last FROM (SELECT ref, (SELECT MAX(version) FROM entity_versions v WHERE v.ref = n.ref) AS last FROM unnest($1::text[]) n (ref)) x WHERE last IS NOT NULL`
		}
		rows, err := tx.Query(ctx, query, args...)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var name string
			var last int
			err := r.Scan(&name, &last)
			next[parseStored(name)] = last + 1
			return struct{}{}, err
		})
		return fault.Wrap(err, "count the versions of entities")
	})
	return next, err
}

// saveMany writes entities.
func saveMany(ctx context.Context, tx *store.Tx, all []written) error {
	rows := make([][]any, len(all))
	for i, e := range all {
		declared, err := writeRelations(e.declared)
		if err != nil {
			return err
		}
		rows[i] = []any{e.Ref.String(), e.UID, e.Ref.Kind, e.Ref.Namespace, e.Space, e.Source, e.path, e.Owner.String(), e.Type, string(e.document), declared,
			e.Etag, e.Version, "", e.Commit, store.Micros(e.Created), e.CreatedBy, store.Micros(e.Updated), e.UpdatedBy}
	}
	n, err := store.InsertMany(ctx, tx, insertEntity, replaceEntity, rows)
	if err == nil && n != int64(len(rows)) {
		err = fault.Errorf(fault.Conflict, "an entity was declared by somebody else at the same moment; try again")
	}
	return fault.Wrap(err, "write entities")
}

// tellMany writes the entry of a chunk. The versions that it made name it.
func (s *Service) tellMany(ctx context.Context, tx *store.Tx, space, source, commit, repository string, counts map[Action]int) (string, error) {
	data, err := json.Marshal(struct {
		Source  string `json:"source"`
		Commit  string `json:"commit,omitempty"`
		Created int    `json:"created,omitempty"`
		Updated int    `json:"updated,omitempty"`
		Deleted int    `json:"deleted,omitempty"`
	}{source, commit, counts[Created], counts[Updated], counts[Deleted]})
	if err != nil {
		return "", err
	}
	e := ledger.Entry{Space: space, Type: manyChanged, Subject: strings.TrimPrefix(source, locationPrefix), Data: data}
	if repository != "" {
		e.Refs = []string{"repository:" + repository}
	}
	entry, err := s.ledger.Append(ctx, tx, e)
	return entry, fault.Wrap(err, "note the change of entities of %s", source)
}

const manyChanged = "entities.changed"

// ChangeOf is what an entry of the ledger tells of one entity.
type ChangeOf struct {
	Ref     ref.Entity
	Version int
	Action  Action
}

// ChangesOf gives what an entry changed: one entity for entity.created, entity.changed and entity.deleted, many for
// entities.changed. It asks for no right: it is for rooms that follow the ledger.
func (s *Service) ChangesOf(ctx context.Context, entry string) (changes []ChangeOf, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref, version, action FROM entity_versions WHERE entry = $1 ORDER BY ref, version`, entry)
		changes, err = store.Collect(rows, err, func(r store.Row) (c ChangeOf, err error) {
			var name, action string
			err = r.Scan(&name, &c.Version, &action)
			c.Ref, c.Action = parseStored(name), Action(action)
			return c, err
		})
		return err
	})
	return changes, fault.Wrap(err, "read what entry %s changed", entry)
}
