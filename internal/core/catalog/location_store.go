package catalog

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const locationColumns = `id, space, repository, path, branch, kept, readable, trusted, generation, git_commit, error, details, created, created_by, refreshed, home, origin, depth, optional, rules, orphans, generated`

func scanLocation(r store.Row) (l Location, err error) {
	var trusted, details, home, rules string
	var kept, readable, created, refreshed, optional int64
	err = r.Scan(&l.ID, &l.Space, &l.Repository, &l.Path, &l.Branch, &kept, &readable, &trusted, &l.generation, &l.Commit, &l.Error, &details,
		&created, &l.CreatedBy, &refreshed, &home, &l.Origin, &l.depth, &optional, &rules, &l.Rules.Orphans, &l.generated)
	if err != nil {
		return l, err
	}
	l.kept, l.readable, l.optional = kept == 1, readable == 1, optional == 1
	l.Created, l.Refreshed = store.FromMicros(created), store.FromMicros(refreshed)
	if err := json.Unmarshal([]byte(trusted), &l.Trusted); err != nil {
		return l, err
	}
	if err := json.Unmarshal([]byte(rules), &l.Rules.Kinds); err != nil {
		return l, err
	}
	if l.Home, err = readHome(home); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(details), &l.Details)
}

func locationByID(ctx context.Context, tx *store.Tx, id string) (Location, error) {
	return store.One(tx.QueryRow(ctx, `SELECT `+locationColumns+` FROM locations WHERE id = $1`+tx.ForUpdate(), id), scanLocation, "location %s", clip(id))
}

// RepositoryOf gives the repository that a source of documents reads; "" for one that is no location, or is gone.
func (s *Service) RepositoryOf(ctx context.Context, tx *store.Tx, source string) (repository string, err error) {
	id, ok := strings.CutPrefix(source, locationPrefix)
	if !ok {
		return "", nil
	}
	err = tx.QueryRow(ctx, "SELECT repository FROM locations WHERE id = $1", id).Scan(&repository)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return repository, fault.Wrap(err, "find the repository of %s", clip(source))
}

func findLocation(ctx context.Context, tx *store.Tx, space string, t Target) (Location, error) {
	row := tx.QueryRow(ctx, `SELECT `+locationColumns+` FROM locations WHERE space = $1 AND repository = $2 AND path = $3 AND branch = $4`+tx.ForUpdate(),
		space, t.Repository, t.Path, t.Branch)
	return store.One(row, scanLocation, "location %s:%s", t.Repository, t.Path)
}

func (s *Service) saveLocation(ctx context.Context, tx *store.Tx, l Location) error {
	trusted, err := json.Marshal(append([]string{}, l.Trusted...))
	if err != nil {
		return err
	}
	rules, err := json.Marshal(append([]string{}, l.Rules.Kinds...))
	if err != nil {
		return err
	}
	details, err := json.Marshal(append([]fault.Detail{}, l.Details...))
	if err != nil {
		return err
	}
	home, err := writeHome(l.Home)
	if err != nil {
		return err
	}
	kept, readable, optional := 0, 0, 0
	if l.optional {
		optional = 1
	}
	if l.kept {
		kept = 1
	}
	if l.readable {
		readable = 1
	}
	_, err = tx.Exec(ctx, `INSERT INTO locations (`+locationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT (id) DO UPDATE SET kept = excluded.kept, readable = excluded.readable, trusted = excluded.trusted, generation = excluded.generation,
git_commit = excluded.git_commit, error = excluded.error, details = excluded.details, refreshed = excluded.refreshed,
home = excluded.home, origin = excluded.origin, depth = excluded.depth, optional = excluded.optional, rules = excluded.rules, orphans = excluded.orphans, generated = excluded.generated`,
		l.ID, l.Space, l.Repository, l.Path, l.Branch, kept, readable, string(trusted), l.generation, l.Commit, clip(l.Error), string(details),
		store.Micros(l.Created), l.CreatedBy, store.Micros(l.Refreshed), home, l.Origin, l.depth, optional, string(rules), l.Rules.Orphans, l.File().Generated(s.base()))
	return fault.Wrap(err, "write location %s", l)
}

// locationsOf gives the ids of the locations of a repository that a push to a branch may change; "" is any branch.
func locationsOf(ctx context.Context, tx *store.Tx, repository, branch string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM locations WHERE repository = $1 AND ($2 = '' OR branch = '' OR branch = $2) ORDER BY id`, repository, branch)
	ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	return ids, fault.Wrap(err, "find the locations of %s", repository)
}

// wrongLocations gives the next ids of locations of which something could not be taken.
func wrongLocations(ctx context.Context, tx *store.Tx, after string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT id FROM locations WHERE error <> '' AND id > $1 ORDER BY id LIMIT 500`, after)
	ids, err := store.Collect(rows, err, func(r store.Row) (id string, err error) { return id, r.Scan(&id) })
	return ids, fault.Wrap(err, "find the locations that are wrong")
}

func addParent(ctx context.Context, tx *store.Tx, parent ref.Entity, c child) error {
	_, err := tx.Exec(ctx, `INSERT INTO location_parents (parent, location, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, parent.String(), c.location, c.address)
	return fault.Wrap(err, "note that %s names location %s", parent, c.location)
}

// removeAddress notes that an entity does not name a location by an address any more; by another it does.
func removeAddress(ctx context.Context, tx *store.Tx, parent ref.Entity, c child) error {
	_, err := tx.Exec(ctx, `DELETE FROM location_parents WHERE parent = $1 AND location = $2 AND address = $3`, parent.String(), c.location, c.address)
	return fault.Wrap(err, "note that %s names location %s otherwise", parent, c.location)
}

func removeParent(ctx context.Context, tx *store.Tx, parent ref.Entity, location string) error {
	_, err := tx.Exec(ctx, `DELETE FROM location_parents WHERE parent = $1 AND location = $2`, parent.String(), location)
	return fault.Wrap(err, "note that %s names location %s no more", parent, location)
}

// childrenOf gives the locations that an entity names, each with every address by which it does.
func childrenOf(ctx context.Context, tx *store.Tx, parent ref.Entity) ([]child, error) {
	rows, err := tx.Query(ctx, `SELECT location, address FROM location_parents WHERE parent = $1 ORDER BY location, address`, parent.String())
	all, err := store.Collect(rows, err, func(r store.Row) (c child, err error) { return c, r.Scan(&c.location, &c.address) })
	return all, fault.Wrap(err, "find the locations of %s", parent)
}

// parentsOf gives the entities that name a location.
func parentsOf(ctx context.Context, tx *store.Tx, location string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT parent FROM location_parents WHERE location = $1 ORDER BY parent LIMIT 100`, location)
	names, err := store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
	return names, fault.Wrap(err, "find who names location %s", location)
}

// holders gives the entities by whose word a location stays. An entity that is there only because of the location
// itself, as when files name one another, is none: such a ring goes when nobody outside names it.
func holders(ctx context.Context, tx *store.Tx, location string, above map[string]bool) ([]ref.Entity, error) {
	above[location] = true
	type parent struct {
		name ref.Entity
		from string // id of the location that brought it; "" when it was applied
		kept bool
	}
	rows, err := tx.Query(ctx, `SELECT DISTINCT e.ref, COALESCE(l.id, ''), COALESCE(l.kept, 0) FROM location_parents p JOIN entities e ON e.ref = p.parent
LEFT JOIN locations l ON e.source LIKE '`+locationPrefix+`%' AND l.id = SUBSTR(e.source, LENGTH('`+locationPrefix+`') + 1) WHERE p.location = $1 ORDER BY e.ref`, location)
	parents, err := store.Collect(rows, err, func(r store.Row) (parent, error) {
		var p parent
		var name string
		var kept int64
		err := r.Scan(&name, &p.from, &kept)
		p.name, p.kept = parseStored(name), kept == 1
		return p, err
	})
	if err != nil {
		return nil, fault.Wrap(err, "find who names location %s", location)
	}
	var hold []ref.Entity
	for _, p := range parents {
		if above[p.from] {
			continue
		}
		holds := p.from == "" || p.kept
		if !holds {
			higher, err := holders(ctx, tx, p.from, above)
			if err != nil {
				return nil, err
			}
			holds = len(higher) > 0
		}
		if holds {
			hold = append(hold, p.name)
		}
	}
	return hold, nil
}
