package directory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	tries = 5 // before others who write to the same directory are given way to
	// projected is how many entities are brought up to date at once.
	projected = 500
)

// row is a resource that is to be brought up to date.
type row struct {
	Resource
	gone bool
}

// project has the catalog say what is stale. The caller has the turn.
func (s *Service) project(ctx context.Context, name string) error {
	for overtaken := 0; ; {
		more, _, err := s.projectSome(ctx, name, false)
		switch {
		case errors.Is(err, errOvertaken) && overtaken < tries:
			overtaken++
		case errors.Is(err, errOvertaken):
			return fault.Errorf(fault.Unavailable, "others write to directory %s all the time", name)
		case err != nil || !more:
			return err
		}
	}
}

// projectAll has the catalog say all that was written to a directory. The caller has the turn.
func (s *Service) projectAll(ctx context.Context, name string) (out catalog.Brought, err error) {
	for range tries {
		if _, out, err = s.projectSome(ctx, name, true); !errors.Is(err, errOvertaken) {
			return out, err
		}
	}
	return out, fault.Errorf(fault.Unavailable, "others write to directory %s all the time", name)
}

func (s *Service) projectSome(ctx context.Context, name string, whole bool) (more bool, out catalog.Brought, err error) {
	var d Directory
	var rows []row
	var entries []entry
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if d, err = byName(ctx, tx, name); err != nil {
			return err
		}
		if rows, err = stale(ctx, tx, name, whole); err != nil || len(rows) == 0 && !whole {
			return err
		}
		entries, err = entriesOf(ctx, tx, d, rows, whole)
		return err
	})
	if err != nil || len(rows) == 0 && !whole {
		return false, out, err
	}
	var gone []ref.Entity
	for _, r := range rows {
		if r.gone || !r.Active {
			gone = append(gone, ref.New(r.Kind, d.Spec.Namespace, r.Name))
		}
	}
	var left map[ref.Entity]string
	if whole {
		if left, err = s.leftOver(ctx, d, entries, gone); err != nil {
			return false, out, err
		}
	}
	out, refused, err := s.bring(ctx, d, entries, gone, left, whole, 0)
	if err != nil {
		return false, out, err
	}
	out.Held = len(left)
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := d.still(ctx, tx); err != nil {
			return err
		}
		return settle(ctx, tx, d, rows, refused)
	})
	return len(rows) == projected && !whole, out, err
}

// annotationResource names the resource that an entity is of.
const annotationResource = "roadbed.dev/directory-id"

// settling is how long an identity provider has, from the first that it writes, to write who came by LDAP before.
const settling = 24 * time.Hour

func (d Directory) settles(now time.Time) bool {
	return now.Before(d.written.Add(settling))
}

// leftOver gives what came by LDAP before, the identity provider has not written yet, and stays: for the time of settling all of
// it, and later where it is more of a kind than may go at once.
func (s *Service) leftOver(ctx context.Context, d Directory, entries []entry, gone []ref.Entity) (map[ref.Entity]string, error) {
	if d.Spec.MostGone == 100 {
		return map[ref.Entity]string{}, nil
	}
	before, err := s.Catalog.Annotations(ctx, d.source(), annotationResource)
	if err != nil {
		return nil, err
	}
	named := map[ref.Entity]bool{}
	for _, e := range entries {
		named[e.ref(d)] = true
	}
	for _, e := range gone {
		named[e] = true
	}
	left, had, away := map[ref.Entity]string{}, map[string]int{}, map[string]int{}
	for e, annotations := range before {
		had[e.Kind]++
		if annotations[annotationResource] == "" && !named[e] {
			left[e] = "it came by LDAP, and the identity provider has not written it"
			away[e.Kind]++
		}
	}
	if !d.settles(s.Now()) {
		maps.DeleteFunc(left, func(e ref.Entity, _ string) bool { return away[e.Kind] <= had[e.Kind]*d.Spec.MostGone/100 })
	}
	return left, nil
}

// stale gives what is to be brought up to date: groups come before those who are in them.
func stale(ctx context.Context, tx *store.Tx, directory string, whole bool) ([]row, error) {
	most, condition := projected, " AND r.stale = 1"
	if whole {
		most, condition = mostResources, ""
	}
	rows, err := tx.Query(ctx, `SELECT r.id, r.kind, r.external_id, r.name, r.active, r.attributes, r.created, r.changed, r.version, r.problem, r.label, r.gone
 FROM directory_resources r WHERE r.directory = $1`+condition+` ORDER BY r.kind, r.id LIMIT $2`, directory, most)
	all, err := store.Collect(rows, err, func(r store.Row) (found row, err error) {
		var gone int
		found.Resource, err = scanResource(andGone{r, &gone})
		found.gone = gone == 1
		return found, err
	})
	return all, fault.Wrap(err, "read what is to be brought up to date")
}

// andGone scans one more column than a resource has.
type andGone struct {
	store.Row
	gone *int
}

func (r andGone) Scan(into ...any) error { return r.Row.Scan(append(into, r.gone)...) }

// entriesOf gives what the catalog is to say of resources that are there.
func entriesOf(ctx context.Context, tx *store.Tx, d Directory, rows []row, whole bool) ([]entry, error) {
	var ids []string
	for _, r := range rows {
		if !r.gone && r.Active {
			ids = append(ids, r.ID)
		}
	}
	memberOf, children := map[string][]string{}, map[string][]string{}
	if whole {
		ids = nil
		if err := memberships(ctx, tx, d.Name, nil, memberOf, children); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(ids, atATime) {
		if err := memberships(ctx, tx, d.Name, part, memberOf, children); err != nil {
			return nil, err
		}
	}
	var entries []entry
	for _, r := range rows {
		if r.gone || !r.Active {
			continue
		}
		e := r.said(d)
		e.memberOf, e.children = memberOf[r.ID], children[r.ID]
		entries = append(entries, e)
	}
	return entries, nil
}

// memberships gives the names of the groups that people are in, and that groups have in them; of all when ids is nil.
func memberships(ctx context.Context, tx *store.Tx, directory string, ids []string, memberOf, children map[string][]string) error {
	collect := func(near, far, kind string, into map[string][]string) error {
		w := &store.Where{}
		w.Equal("m.directory", directory)
		w.Add("g.kind = 'Group' AND g.gone = 0")
		w.Equal("n.kind", kind)
		if ids != nil {
			w.Add(w.In("m."+near, ids))
		}
		rows, err := tx.Query(ctx, "SELECT m."+near+", g.name FROM directory_members m JOIN directory_resources g ON g.directory = m.directory AND g.id = m."+far+
			" JOIN directory_resources n ON n.directory = m.directory AND n.id = m."+near+w.String(), w.Args...)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var id, name string
			err := r.Scan(&id, &name)
			into[id] = append(into[id], name)
			return struct{}{}, err
		})
		return fault.Wrap(err, "read memberships")
	}
	if err := collect("member", "team", User, memberOf); err != nil {
		return err
	}
	return collect("team", "member", Group, children)
}

// settle notes what the catalog has, and why it has not the rest, and lets go of what is gone. The directory is held.
func settle(ctx context.Context, tx *store.Tx, d Directory, rows []row, refused map[ref.Entity]string) error {
	done := map[string][]string{} // ids by problem
	var gone []string
	for _, r := range rows {
		if r.gone {
			gone = append(gone, r.ID)
			continue
		}
		problem := refused[ref.New(r.Kind, d.Spec.Namespace, r.Name)]
		done[problem] = append(done[problem], r.ID)
	}
	for _, problem := range sorted(done) {
		for part := range slices.Chunk(done[problem], atATime) {
			w := &store.Where{}
			set := "UPDATE directory_resources SET stale = 0, problem = " + w.Arg(problem)
			w.Equal("directory", d.Name)
			w.Add(w.In("id", part))
			w.Add("(stale = 1 OR problem <> " + w.Arg(problem) + ")")
			if _, err := tx.Exec(ctx, set+w.String(), w.Args...); err != nil {
				return fault.Wrap(err, "note what is in the catalog")
			}
		}
	}
	for part := range slices.Chunk(gone, atATime) {
		w := &store.Where{}
		w.Equal("directory", d.Name)
		w.Add("gone = 1")
		w.Add(w.In("id", part))
		if _, err := tx.Exec(ctx, "DELETE FROM directory_resources"+w.String(), w.Args...); err != nil {
			return fault.Wrap(err, "let go of who is gone")
		}
	}
	return nil
}
