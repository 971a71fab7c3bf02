package directory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const (
	atATime = 500 // rows of one statement or scan
	// inPage bounds the memberships of one page, so that a page of large groups is short.
	inPage = 20_000
)

const resourceColumns = "SELECT r.id, r.kind, r.external_id, r.name, r.active, r.attributes, r.created, r.changed, r.version, r.problem, r.label FROM directory_resources r"

func scanResource(row store.Row) (r Resource, err error) {
	var active int
	var attributes string
	var created, changed int64
	if err := row.Scan(&r.ID, &r.Kind, &r.ExternalID, &r.Name, &active, &attributes, &created, &changed, &r.Version, &r.Problem, &r.Label); err != nil {
		return r, err
	}
	r.Active, r.Created, r.Changed = active == 1, store.FromMicros(created), store.FromMicros(changed)
	if err := json.Unmarshal([]byte(attributes), &r.Attributes); err != nil {
		return r, fault.Wrap(err, "read resource %s", r.ID)
	}
	if name, ok := r.Attributes[labelOf(r.Kind)].(string); ok {
		r.Label = name // with its capitals
	}
	return r, nil
}

// labelOf names the attribute that a kind of resources is told apart by.
func labelOf(kind string) string {
	if kind == User {
		return "userName"
	}
	return "displayName"
}

func saveResource(ctx context.Context, tx *store.Tx, directory string, r Resource, attributes string) error {
	active := 0
	if r.Active {
		active = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO directory_resources (directory, id, kind, label, external_id, name, active, gone, attributes, created, changed, version, stale, problem)
 VALUES ($1,$2,$3,$4,$5,$6,$7,0,$8,$9,$10,$11,1,'')
 ON CONFLICT (directory, id) DO UPDATE SET label=excluded.label, external_id=excluded.external_id, active=excluded.active, attributes=excluded.attributes,
 changed=excluded.changed, version=excluded.version, stale=1`,
		directory, r.ID, r.Kind, strings.ToLower(r.Label), r.ExternalID, r.Name, active, attributes, store.Micros(r.Created), store.Micros(r.Changed), r.Version)
	return fault.Wrap(err, "keep %s", r.ID)
}

// current gives a resource that is to be changed.
func current(ctx context.Context, tx *store.Tx, directory, kind, id string, version int64) (Resource, error) {
	r, err := store.One(tx.QueryRow(ctx, resourceColumns+" WHERE r.directory = $1 AND r.kind = $2 AND r.id = $3 AND r.gone = 0", directory, kind, id), scanResource, "it")
	if fault.Is(err, fault.NotFound) {
		return r, noResource(kind, id)
	}
	if err == nil && version != 0 && version != r.Version {
		err = fault.Errorf(fault.Stale, "%s has changed meanwhile; read it again", id)
	}
	return r, err
}

// bury leaves of a resource what it takes to have its entity go.
func bury(ctx context.Context, tx *store.Tx, directory, id string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM directory_members WHERE directory = $1 AND (team = $2 OR member = $2)", directory, id); err != nil {
		return fault.Wrap(err, "end the memberships of %s", id)
	}
	_, err := tx.Exec(ctx, "UPDATE directory_resources SET gone = 1, stale = 1, active = 0, label = '', external_id = '', attributes = '{}', problem = '' WHERE directory = $1 AND id = $2", directory, id)
	return fault.Wrap(err, "delete %s", id)
}

// staleNeighbours marks those whose entities name one that goes.
func staleNeighbours(ctx context.Context, tx *store.Tx, directory, id string) error {
	_, err := tx.Exec(ctx, `UPDATE directory_resources SET stale = 1 WHERE directory = $1 AND (id IN (SELECT member FROM directory_members WHERE directory = $1 AND team = $2)
 OR id IN (SELECT team FROM directory_members WHERE directory = $1 AND member = $2))`, directory, id)
	return fault.Wrap(err, "mark who is related to %s", id)
}

func resourcesOf(ctx context.Context, tx *store.Tx, directory string) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM directory_resources WHERE directory = $1", directory).Scan(&n)
	return n, fault.Wrap(err, "count people and groups")
}

// where gives the conditions of a query, save Match.
func (q Query) where(directory string) *store.Where {
	w := &store.Where{}
	w.Equal("r.directory", directory)
	w.Add("r.gone = 0")
	w.Equal("r.kind", q.Kind)
	w.Equal("r.id", q.ID)
	w.Equal("r.label", strings.ToLower(q.Label))
	w.Equal("r.external_id", q.ExternalID)
	if q.Member != "" {
		w.Add("r.id IN (SELECT team FROM directory_members WHERE directory = " + w.Arg(directory) + " AND member = " + w.Arg(q.Member) + ")")
	}
	return w
}

// paged gives a page of what conditions of columns tell alone.
func paged(ctx context.Context, tx *store.Tx, directory string, q Query) (part []Resource, total int, err error) {
	w := q.where(directory)
	if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM directory_resources r"+w.String(), w.Args...).Scan(&total); err != nil || q.Count == 0 {
		return nil, total, err
	}
	rows, err := tx.Query(ctx, resourceColumns+w.String()+"ORDER BY r.id LIMIT "+w.Arg(q.Count)+" OFFSET "+w.Arg(q.Start-1), w.Args...)
	if part, err = store.Collect(rows, err, scanResource); err != nil || !q.Whole {
		return part, total, err
	}
	part, err = whole(ctx, tx, directory, part)
	return part, total, err
}

// matched gives a page of what Match takes; all that is there is looked at.
func matched(ctx context.Context, tx *store.Tx, directory string, q Query) (part []Resource, total int, err error) {
	for last := ""; ; {
		w := q.where(directory)
		w.After("r.id", last)
		rows, err := tx.Query(ctx, resourceColumns+w.String()+"ORDER BY r.id LIMIT "+w.Arg(atATime), w.Args...)
		some, err := store.Collect(rows, err, scanResource)
		if err != nil || len(some) == 0 {
			return part, total, err
		}
		last = some[len(some)-1].ID
		for len(some) > 0 {
			ready := some
			if q.Whole {
				if ready, err = whole(ctx, tx, directory, some); err != nil {
					return part, total, err
				}
			}
			some = some[len(ready):]
			for _, r := range ready {
				if !q.Match(r) {
					continue
				}
				if total++; total >= q.Start && len(part) < q.Count {
					part = append(part, r)
				}
			}
		}
	}
}

// whole gives as many of the resources as have inPage memberships, with these, but at least one.
func whole(ctx context.Context, tx *store.Tx, directory string, part []Resource) ([]Resource, error) {
	n := 0
	for i := range part {
		if i > 0 && n > inPage {
			return part[:i], nil
		}
		near, far := "team", "member"
		if part[i].Kind == User {
			near, far = far, near
		}
		rows, err := tx.Query(ctx, "SELECT r.id, r.kind, r.label, r.attributes FROM directory_members m JOIN directory_resources r ON r.directory = m.directory AND r.id = m."+far+
			" WHERE m.directory = $1 AND m."+near+" = $2 ORDER BY r.id", directory, part[i].ID)
		all, err := store.Collect(rows, err, scanMember)
		if err != nil {
			return nil, err
		}
		if n += len(all); part[i].Kind == User {
			part[i].Groups = all
		} else {
			part[i].Members = all
		}
	}
	return part, nil
}

func scanMember(row store.Row) (m Member, err error) {
	r := Resource{}
	var attributes string
	if err := row.Scan(&r.ID, &r.Kind, &r.Label, &attributes); err != nil {
		return m, err
	}
	if err := json.Unmarshal([]byte(attributes), &r.Attributes); err != nil {
		return m, err
	}
	return Member{ID: r.ID, Kind: r.Kind, Display: r.display()}, nil
}

func membersOf(ctx context.Context, tx *store.Tx, directory, group string) (map[string]bool, error) {
	rows, err := tx.Query(ctx, "SELECT member FROM directory_members WHERE directory = $1 AND team = $2", directory, group)
	found := map[string]bool{}
	_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
		var id string
		err := r.Scan(&id)
		found[id] = true
		return struct{}{}, err
	})
	return found, fault.Wrap(err, "read the members of %s", group)
}

// kindsOf gives the kinds of resources that are there.
func kindsOf(ctx context.Context, tx *store.Tx, directory string, ids []string) (map[string]string, error) {
	kinds := make(map[string]string, len(ids))
	for part := range slices.Chunk(ids, atATime) {
		w := &store.Where{}
		w.Equal("directory", directory)
		w.Add("gone = 0")
		w.Add(w.In("id", part))
		rows, err := tx.Query(ctx, "SELECT id, kind FROM directory_resources"+w.String(), w.Args...)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var id, kind string
			err := r.Scan(&id, &kind)
			kinds[id] = kind
			return struct{}{}, err
		})
		if err != nil {
			return nil, fault.Wrap(err, "look for members")
		}
	}
	return kinds, nil
}

func dropMembers(ctx context.Context, tx *store.Tx, directory, group string, ids []string) error {
	for part := range slices.Chunk(ids, atATime) {
		w := &store.Where{}
		w.Equal("directory", directory)
		w.Equal("team", group)
		w.Add(w.In("member", part))
		if _, err := tx.Exec(ctx, "DELETE FROM directory_members"+w.String(), w.Args...); err != nil {
			return fault.Wrap(err, "take members out of %s", group)
		}
	}
	return nil
}

func addMembers(ctx context.Context, tx *store.Tx, directory, group string, ids []string) error {
	for part := range slices.Chunk(ids, atATime) {
		w := &store.Where{}
		rows := make([]string, len(part))
		for i, id := range part {
			rows[i] = "(" + w.Arg(directory) + "," + w.Arg(group) + "," + w.Arg(id) + ")"
		}
		if _, err := tx.Exec(ctx, "INSERT INTO directory_members (directory, team, member) VALUES "+strings.Join(rows, ","), w.Args...); err != nil {
			return fault.Wrap(err, "put members into %s", group)
		}
	}
	return nil
}

func markStale(ctx context.Context, tx *store.Tx, directory string, ids []string) error {
	for part := range slices.Chunk(ids, atATime) {
		w := &store.Where{}
		w.Equal("directory", directory)
		w.Add(w.In("id", part))
		if _, err := tx.Exec(ctx, "UPDATE directory_resources SET stale = 1"+w.String(), w.Args...); err != nil {
			return fault.Wrap(err, "mark what is to be brought up to date")
		}
	}
	return nil
}
