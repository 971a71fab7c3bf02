package catalog

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// filesAtATime are how many rows of files are written in one transaction.
const filesAtATime = 500

// begin notes that files are to be read, and forgets the commit that was read before, since parts of another one follow:
// should this reading end half way, the next one reads them again.
func (r *reading) begin(ctx context.Context, files []*walkedFile) error {
	if r.preview {
		return nil
	}
	for first := true; first || len(files) > 0; first = false {
		part := files[:min(len(files), filesAtATime)]
		files = files[len(part):]
		stale := map[string]knownFile{}
		for _, f := range part {
			if k, known := r.known[f.path]; !known || k.hash != "" {
				stale[f.path] = knownFile{names: k.names}
			}
		}
		if len(stale) == 0 && (!first || r.begun) {
			continue
		}
		err := r.s.db.Write(ctx, func(tx *store.Tx) error {
			now, err := current(ctx, tx, r.location)
			if err != nil {
				return err
			}
			if now.Commit != "" {
				now.Commit = ""
				if err := r.s.saveLocation(ctx, tx, now); err != nil {
					return err
				}
			}
			return knowFiles(ctx, tx, r.location.ID, stale)
		})
		if err != nil {
			return r.own(err)
		}
		r.begun = true
	}
	return nil
}

// own marks an error as one of the platform's, which says nothing of the location.
func (r *reading) own(err error) error {
	r.failed = r.failed || err != nil
	return err
}

// end takes in what is taken one by one, deletes what is gone, marks what was refused, and notes the files as read.
func (r *reading) end(ctx context.Context) error {
	if err := r.bringSingles(ctx); err != nil {
		return err
	}
	var read []*walkedFile
	var gone []string
	for _, f := range r.files {
		if !f.same {
			read = append(read, f)
		}
	}
	for path := range r.known {
		if r.files[path] == nil {
			gone = append(gone, path)
		}
	}
	if r.had {
		paths := slices.Clone(gone)
		for _, f := range read {
			paths = append(paths, f.path)
		}
		slices.Sort(paths)
		if err := r.sift(ctx, paths); err != nil {
			return err
		}
	}
	if r.force && r.had && !r.rules.keep() {
		if err := r.dropOrphans(ctx); err != nil {
			return err
		}
	}
	if r.partial {
		gone = nil
	}
	if err := r.noteInputs(ctx); err != nil {
		return err
	}
	slices.Sort(gone)
	for first := true; first || len(read) > 0 || len(gone) > 0; first = false {
		settled, left := map[string]knownFile{}, gone[:min(len(gone), filesAtATime)]
		for _, f := range read[:min(len(read), filesAtATime)] {
			if !f.wrong && f.hash != "" {
				settled[f.path] = knownFile{hash: f.hash, names: f.names, inputs: f.inputs}
			}
		}
		read, gone = read[min(len(read), filesAtATime):], gone[len(left):]
		if len(settled) == 0 && len(left) == 0 {
			continue
		}
		err := r.s.db.Write(ctx, func(tx *store.Tx) error {
			if _, err := current(ctx, tx, r.location); err != nil {
				return err
			}
			if err := knowFiles(ctx, tx, r.location.ID, settled); err != nil {
				return err
			}
			return forgetFiles(ctx, tx, r.location.ID, left)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOrphans deletes what was kept before.
func (r *reading) dropOrphans(ctx context.Context) error {
	var orphans []ref.Entity
	err := r.s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE source = $1 AND orphan = 1 ORDER BY ref`, r.location.source())
		orphans, err = store.Collect(rows, err, func(row store.Row) (e ref.Entity, err error) {
			var name string
			err = row.Scan(&name)
			return parseStored(name), err
		})
		return fault.Wrap(err, "find the orphans of %s", r.location)
	})
	if err != nil {
		return err
	}
	still := func(ctx context.Context, tx *store.Tx) error {
		_, err := current(ctx, tx, r.location)
		return err
	}
	away := removal{s: r.s, space: r.location.Space, source: r.location.source(), repository: r.location.Repository, still: still, told: &r.told}
	return away.all(ctx, orphans)
}

// bringSingles applies what is taken one by one, a few in a transaction; where some are refused, each is tried alone.
func (r *reading) bringSingles(ctx context.Context) error {
	order := applyOrder(r.singles)
	for part := range slices.Chunk(order, chunk) {
		items, err := r.bringSome(ctx, part)
		if err == nil {
			r.noteSome(items, part)
			continue
		}
		if errors.Is(err, errSuperseded) || fault.KindOf(err) == fault.Unavailable || ctx.Err() != nil {
			return err
		}
		for _, i := range part {
			items, err := r.bringSome(ctx, []int{i})
			if errors.Is(err, errSuperseded) || ctx.Err() != nil {
				return err
			}
			if err != nil {
				r.refuse(r.singles[i], err)
				continue
			}
			r.noteSome(items, []int{i})
		}
	}
	return nil
}

func (r *reading) noteSome(items []Item, part []int) {
	for k, i := range part {
		r.note(items[k:k+1], r.singles[i:i+1])
	}
}

func (r *reading) bringSome(ctx context.Context, part []int) (items []Item, err error) {
	err = r.s.db.Write(ctx, func(tx *store.Tx) error {
		items = items[:0]
		if _, err := current(ctx, tx, r.location); err != nil {
			return err
		}
		for _, i := range part {
			item, err := r.s.put(ctx, tx, r.singles[i])
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	return items, err
}

// sift looks at what the database has of files that were read, or are gone, and deletes what they declare no more.
func (r *reading) sift(ctx context.Context, paths []string) error {
	var gone []ref.Entity
	wrong := map[string][]string{} // by what is wrong
	err := among(r.s.db.Dialect(), []any{r.location.source()}, paths, func(in string, args []any) error {
		return r.s.db.Read(ctx, func(tx *store.Tx) error {
			type placed struct{ name, path string }
			rows, err := tx.Query(ctx, `SELECT ref, path FROM entities WHERE source = $1 AND path `+in, args...)
			all, err := store.Collect(rows, err, func(row store.Row) (p placed, err error) { return p, row.Scan(&p.name, &p.path) })
			for _, p := range all { // behind the rows, since the kinds may have to be read again
				e := parseStored(p.name)
				why, kept := r.kept(e, p.path)
				if kind, ok := r.s.registry.ByName(e.Kind); !kept && ok && kind.Restricted && !slices.Contains(r.location.Trusted, kind.Name) {
					// What is not taken from here is not taken away from here either.
					why, kept = "its file declares it no more, and is not trusted to take it away; trust the location for it again, or remove the location", true
				}
				switch {
				case !kept:
					gone = append(gone, e)
				case why != "":
					wrong[why] = append(wrong[why], p.name)
				}
			}
			return fault.Wrap(err, "read what came from the files of %s", r.location)
		})
	})
	if err != nil {
		return err
	}
	still := func(ctx context.Context, tx *store.Tx) error {
		_, err := current(ctx, tx, r.location)
		return err
	}
	for _, why := range slices.Sorted(maps.Keys(wrong)) {
		for part := range slices.Chunk(wrong[why], filesAtATime) {
			err := r.s.db.Write(ctx, func(tx *store.Tx) error {
				if err := still(ctx, tx); err != nil {
					return err
				}
				return r.s.mark(ctx, tx, r.location.Space, ofSource(r.location.source()), part, why)
			})
			if err != nil {
				return err
			}
		}
	}
	if r.rules.keep() {
		var orphans []string
		orphans, gone = r.s.orphansOf(gone)
		for part := range slices.Chunk(orphans, filesAtATime) {
			err := r.s.db.Write(ctx, func(tx *store.Tx) error {
				if err := still(ctx, tx); err != nil {
					return err
				}
				return r.s.keepOrphans(ctx, tx, r.location.Space, ofSource(r.location.source()), part)
			})
			if err != nil {
				return err
			}
		}
	}
	slices.SortFunc(gone, compareRefs)
	away := removal{s: r.s, space: r.location.Space, source: r.location.source(), repository: r.location.Repository, still: still, told: &r.told}
	return away.all(ctx, gone)
}
