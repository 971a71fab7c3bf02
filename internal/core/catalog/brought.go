package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Set is what a source that is no location says: documents that are wrong leave the others alone, and keep their last good
// entity.
type Set struct {
	Space     string
	Source    string // "push:NAME", "directory:NAMESPACE/NAME"
	Documents []document.Document
	Remove    []ref.Entity // that the source declares no more
	// Keep is what the source has, but not in a way that can be taken, and why: it stays as it is, and says so.
	Keep  map[ref.Entity]string
	Whole bool // what the source has brought and is not among Documents goes too
	// MostGone is how many percent of each kind that the source has brought may go at once; where more would, all are held back. 0
	// is all.
	MostGone int
	// May is asked for each restricted kind that is to be taken, or taken away; nil takes them all.
	May func(kind document.Kind) error
	// Still fails in the transaction of each part when another one has taken over; nil is never.
	Still func(ctx context.Context, tx *store.Tx) error
}

// Brought tells what became of a Set.
type Brought struct {
	Created   int `json:"created,omitempty"`
	Updated   int `json:"updated,omitempty"`
	Unchanged int `json:"unchanged,omitempty"`
	Deleted   int `json:"deleted,omitempty"`
	Wrong     int `json:"wrong,omitempty"`
	Held      int `json:"held,omitempty"` // that would go, but are more than may go at once

	Details []fault.Detail      `json:"-"` // of what was wrong, at most 50
	Taken   map[ref.Entity]bool `json:"-"` // that are the source's now, as it says
}

// fewGone may always go at once, however small the source is.
const fewGone = 5

// Bring makes what a source has brought what it says now, in the platform's name: it asks for no right but Set.May. What is
// as it was costs a look and no write.
func (s *Service) Bring(ctx context.Context, in Set) (Brought, error) {
	if in.May == nil {
		in.May = func(document.Kind) error { return nil }
	}
	if in.Still == nil {
		in.Still = func(context.Context, *store.Tx) error { return nil }
	}
	b := &bringing{s: s, set: in, named: map[ref.Entity]bool{}, wrong: map[ref.Entity]string{}}
	b.out.Taken = map[ref.Entity]bool{}
	if err := b.look(ctx); err != nil {
		return b.out, err
	}
	for _, e := range slices.SortedFunc(maps.Keys(in.Keep), compareRefs) {
		b.named[e] = true
		b.refuse(e, []fault.Detail{{Field: e.String(), Message: in.Keep[e]}})
	}
	if err := b.take(ctx, b.check()); err != nil {
		return b.out, err
	}
	if err := b.remove(ctx); err != nil {
		return b.out, err
	}
	err := b.mark(ctx)
	b.out.Details = bounded(b.out.Details)
	return b.out, err
}

// bringing is one call of Bring.
type bringing struct {
	s     *Service
	set   Set
	had   map[ref.Entity]had
	named map[ref.Entity]bool
	wrong map[ref.Entity]string // why one was not taken
	out   Brought
}

// look reads what the source has brought: all of it for a whole set, or else what is named.
func (b *bringing) look(ctx context.Context) error {
	return b.s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if b.set.Whole {
			b.had, err = broughtBy(ctx, tx, b.set.Space, b.set.Source)
			return err
		}
		names := append(texts(b.set.Remove), texts(slices.Collect(maps.Keys(b.set.Keep)))...)
		for _, d := range b.set.Documents {
			names = append(names, d.Ref().String())
		}
		b.had = map[ref.Entity]had{}
		return among(tx.Dialect(), []any{b.set.Source, b.set.Space}, names, func(in string, args []any) error {
			rows, err := tx.Query(ctx, `SELECT ref, etag, error FROM entities WHERE source = $1 AND space = $2 AND ref `+in, args...)
			_, err = store.Collect(rows, err, scanHad(b.had))
			return fault.Wrap(err, "read entities of %s", b.set.Source)
		})
	})
}

// had is what is asked of an entity that a source has brought.
type had struct{ etag, err string }

func broughtBy(ctx context.Context, tx *store.Tx, space, source string) (map[ref.Entity]had, error) {
	rows, err := tx.Query(ctx, `SELECT ref, etag, error FROM entities WHERE source = $1 AND space = $2`, source, space)
	found := map[ref.Entity]had{}
	_, err = store.Collect(rows, err, scanHad(found))
	return found, fault.Wrap(err, "list the entities of %s", source)
}

// Annotations gives those that what a source has brought has of some, wherever it is.
func (s *Service) Annotations(ctx context.Context, source string, keys ...string) (map[ref.Entity]map[string]string, error) {
	found := map[ref.Entity]map[string]string{}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref, document FROM entities WHERE source = $1`, source)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var name, text string
			var d struct {
				Metadata struct{ Annotations map[string]string }
			}
			if err := r.Scan(&name, &text); err != nil {
				return struct{}{}, err
			}
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				return struct{}{}, fault.Wrap(err, "read %s", name)
			}
			maps.DeleteFunc(d.Metadata.Annotations, func(key, _ string) bool { return !slices.Contains(keys, key) })
			found[parseStored(name)] = d.Metadata.Annotations
			return struct{}{}, nil
		})
		return err
	})
	return found, fault.Wrap(err, "read what %s has brought", source)
}

func scanHad(into map[ref.Entity]had) func(store.Row) (struct{}, error) {
	return func(r store.Row) (struct{}, error) {
		var name string
		var h had
		err := r.Scan(&name, &h.etag, &h.err)
		into[parseStored(name)] = h
		return struct{}{}, err
	}
}

// check gives the changes that the documents make.
func (b *bringing) check() []change {
	registry := b.s.knowing(b.set.Documents)
	var changes []change
	for _, d := range b.set.Documents {
		c, details := b.s.checkBy(registry, d)
		if b.named[c.name] {
			details = append(details, d.At(c.name.String()+" is there twice", "remove one of them", "metadata", "name"))
		}
		b.named[c.name] = true
		if len(details) == 0 && c.kind.Restricted {
			if err := b.set.May(c.kind); err != nil {
				details = []fault.Detail{d.At(fault.Message(err), "", "kind")}
			}
		}
		if len(details) > 0 {
			b.refuse(c.name, details)
			continue
		}
		c.space, c.source = b.set.Space, b.set.Source
		if old, there := b.had[c.name]; there && old.etag == c.etag && old.err == "" {
			b.out.Unchanged++
			b.out.Taken[c.name] = true
			continue
		}
		changes = append(changes, c)
	}
	return changes
}

func (b *bringing) refuse(name ref.Entity, details []fault.Detail) {
	b.out.Wrong++
	delete(b.out.Taken, name)
	b.out.Details = append(b.out.Details, details[:min(len(details), max(0, maxLocDetail-len(b.out.Details)))]...)
	if b.wrong[name] == "" {
		b.wrong[name] = joined(details)
	}
}

// take writes changes, a few in a transaction; where some are refused, each is tried alone.
func (b *bringing) take(ctx context.Context, changes []change) error {
	for part := range slices.Chunk(applyOrder(changes), chunk) {
		items, err := b.some(ctx, changes, part)
		if err == nil {
			b.note(changes, part, items)
			continue
		}
		if endsAll(ctx, err) {
			return err
		}
		for _, i := range part {
			items, err := b.some(ctx, changes, []int{i})
			switch {
			case err == nil:
				b.note(changes, []int{i}, items)
			case endsAll(ctx, err):
				return err
			default:
				details := fault.Details(err)
				if len(details) == 0 {
					details = []fault.Detail{changes[i].document.At(fault.Message(err), "")}
				}
				b.refuse(changes[i].name, details)
			}
		}
	}
	return nil
}

// endsAll tells whether an error says nothing of the document.
func endsAll(ctx context.Context, err error) bool {
	return errors.Is(err, errSuperseded) || fault.KindOf(err) == fault.Unavailable || fault.KindOf(err) == fault.Internal || ctx.Err() != nil
}

func (b *bringing) some(ctx context.Context, changes []change, part []int) (items []Item, err error) {
	err = b.s.db.Write(ctx, func(tx *store.Tx) error {
		items = items[:0]
		if err := b.set.Still(ctx, tx); err != nil {
			return err
		}
		for _, i := range part {
			item, err := b.s.put(ctx, tx, changes[i])
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	return items, err
}

func (b *bringing) note(changes []change, part []int, items []Item) {
	for k, item := range items {
		switch item.Action {
		case Created:
			b.out.Created++
		case Updated:
			b.out.Updated++
		case Conflict:
			b.refuse(item.Ref, []fault.Detail{changes[part[k]].document.At(item.Ref.String()+": "+item.Message, "", "metadata", "name")})
			continue
		default:
			b.out.Unchanged++
		}
		b.out.Taken[item.Ref] = true
	}
}

// remove deletes what the source declares no more, unless that is more than may go at once.
func (b *bringing) remove(ctx context.Context) error {
	gone := map[ref.Entity]bool{}
	for _, e := range b.set.Remove {
		if _, there := b.had[e]; there && !b.named[e] {
			gone[e] = true
		}
	}
	if b.set.Whole {
		for e := range b.had {
			if !b.named[e] {
				gone[e] = true
			}
		}
	}
	for e := range gone {
		kind, _ := b.s.registry.ByName(e.Kind)
		if !kind.Restricted {
			continue
		}
		if err := b.set.May(kind); err != nil {
			delete(gone, e)
			b.refuse(e, []fault.Detail{{Field: e.String(), Message: "it is not taken away: " + fault.Message(err)}})
		}
	}
	if most := b.set.MostGone; most > 0 && b.tooMany(gone, most) {
		b.out.Held = len(gone)
		return nil
	}
	if len(gone) == 0 {
		return nil
	}
	told := 0
	away := removal{s: b.s, space: b.set.Space, source: b.set.Source, still: b.set.Still, told: &told}
	if err := away.all(ctx, slices.SortedFunc(maps.Keys(gone), compareRefs)); err != nil {
		return err
	}
	if err := b.look(ctx); err != nil {
		return err
	}
	for e := range gone {
		if _, there := b.had[e]; !there {
			b.out.Deleted++
		}
	}
	return nil
}

// tooMany tells whether of any kind more than a share would go: that all people are missing is no less wrong where there are many
// groups.
func (b *bringing) tooMany(gone map[ref.Entity]bool, percent int) bool {
	had, away := map[string]int{}, map[string]int{}
	for e := range b.had {
		had[e.Kind]++
	}
	for e := range gone {
		away[e.Kind]++
	}
	for kind, n := range away {
		if n > max(fewGone, had[kind]*percent/100) {
			return true
		}
	}
	return false
}

// mark has entities say why their newest text was not taken.
func (b *bringing) mark(ctx context.Context) error {
	by := map[string][]string{}
	for e, why := range b.wrong {
		if old, there := b.had[e]; there && old.err != clip(why) {
			by[why] = append(by[why], e.String())
		}
	}
	for _, why := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[why])
		for part := range slices.Chunk(by[why], filesAtATime) {
			err := b.s.db.Write(ctx, func(tx *store.Tx) error {
				if err := b.set.Still(ctx, tx); err != nil {
					return err
				}
				return b.s.mark(ctx, tx, b.set.Space, ofSource(b.set.Source), part, why)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
