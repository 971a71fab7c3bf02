package catalog

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What becomes of an entity that no file declares any more.
const (
	DeleteOrphans = "delete"
	KeepOrphans   = "keep" // it stays as an orphan, until it is declared again or deleted; not of restricted kinds
)

// Rules say what locations may bring. What is "" or empty is as the space has it, or the next one above it that says
// something; at the top all kinds may come, restricted ones by trust, and orphans are deleted.
type Rules struct {
	Kinds   []string // names of the kinds that may come; those that a location is trusted for may, too
	Orphans string   // DeleteOrphans or KeepOrphans
}

// rules are those that hold for a location.
type rules Rules

func (r rules) keep() bool { return r.Orphans == KeepOrphans }

func (r rules) take(kind document.Kind, trusted []string) bool {
	return len(r.Kinds) == 0 || kind.Name == "" || slices.Contains(r.Kinds, kind.Name) || slices.Contains(trusted, kind.Name)
}

// maxRules is how many kinds are named.
const maxRules = 100

// Etag changes with what is said.
func (r Rules) Etag() string {
	return etag([]byte(strings.Join(r.Kinds, ",") + "\n" + r.Orphans))
}

// checkRules gives rules in the form in which they are kept.
func (s *Service) checkRules(r Rules) (Rules, error) {
	if r.Orphans != "" && r.Orphans != DeleteOrphans && r.Orphans != KeepOrphans {
		return r, fault.Errorf(fault.Invalid, "%q is not what becomes of orphans; write %s or %s", clip(r.Orphans), DeleteOrphans, KeepOrphans)
	}
	if len(r.Kinds) > maxRules {
		return r, fault.Errorf(fault.Invalid, "%d kinds are too many; at most %d are named", len(r.Kinds), maxRules)
	}
	names := make([]string, 0, len(r.Kinds))
	for _, name := range r.Kinds {
		kind, known := s.registry.ByName(name)
		if !known {
			return r, fault.Errorf(fault.Invalid, "there is no kind %q", clip(name))
		}
		names = append(names, kind.Name)
	}
	slices.Sort(names)
	r.Kinds = slices.Compact(names)
	return r, nil
}

// rulesOf gives what holds for a location: its own word, or that of the nearest space that has one.
func (s *Service) rulesOf(ctx context.Context, tx *store.Tx, l Location) (rules, error) {
	held := rules(l.Rules)
	if len(held.Kinds) > 0 && held.Orphans != "" {
		return held, nil
	}
	all, err := readDefaults(ctx, tx)
	if err != nil {
		return held, err
	}
	kinds, orphans := "", ""
	for space, r := range all {
		within, err := s.access.Within(ctx, l.Space, space)
		if err != nil {
			return held, err
		}
		if !within {
			continue
		}
		nearer := func(than string) (bool, error) {
			if than == "" {
				return true, nil
			}
			return s.access.Within(ctx, space, than)
		}
		if len(l.Rules.Kinds) == 0 && len(r.Kinds) > 0 {
			near, err := nearer(kinds)
			if err != nil {
				return held, err
			}
			if near {
				kinds, held.Kinds = space, r.Kinds
			}
		}
		if l.Rules.Orphans == "" && r.Orphans != "" {
			near, err := nearer(orphans)
			if err != nil {
				return held, err
			}
			if near {
				orphans, held.Orphans = space, r.Orphans
			}
		}
	}
	return held, nil
}

func readDefaults(ctx context.Context, tx *store.Tx) (map[string]Rules, error) {
	rows, err := tx.Query(ctx, `SELECT space, rules, orphans FROM location_defaults`)
	all := map[string]Rules{}
	_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) {
		var space, kinds string
		var r Rules
		if err := row.Scan(&space, &kinds, &r.Orphans); err != nil {
			return struct{}{}, err
		}
		err := json.Unmarshal([]byte(kinds), &r.Kinds)
		all[space] = r
		return struct{}{}, err
	})
	return all, fault.Wrap(err, "read what holds for locations")
}

// EffectiveRules gives what holds for a location: no kinds are all of them.
func (s *Service) EffectiveRules(ctx context.Context, l Location) (r Rules, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		held, err := s.rulesOf(ctx, tx, l)
		r = Rules(held)
		return err
	})
	if r.Orphans == "" {
		r.Orphans = DeleteOrphans
	}
	return r, err
}

// RuleLocation says what a location may bring, and what becomes of its orphans. It needs space:admin in its space. It is
// read again.
func (s *Service) RuleLocation(ctx context.Context, id string, r Rules, ifMatch string) error {
	l, err := s.GetLocation(ctx, id)
	if err != nil {
		return err
	}
	if err := s.access.Authorize(ctx, "space:admin", l.Space); err != nil {
		return err
	}
	if r, err = s.checkRules(r); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		l, err := locationByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := fault.IfMatch(ifMatch, l.Etag(), "location "+l.String()); err != nil {
			return err
		}
		l.Rules = r
		l.kept = true  // whoever may write the file that named it must not be able to take the rules away
		l.generation++ // a refresh that goes by those of before ends
		if err := s.saveLocation(ctx, tx, l); err != nil {
			return err
		}
		if err := s.tellLocation(ctx, tx, "location.ruled", l, map[string]any{"kinds": r.Kinds, "orphans": r.Orphans}); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, id, whyForced)
	})
}

// LocationDefaults gives what a space says for its locations. It needs entity:read there; otherwise NotFound.
func (s *Service) LocationDefaults(ctx context.Context, space string) (r Rules, err error) {
	if err := s.access.ReadOrNotFound(ctx, "entity:read", space, "space "+clip(space)); err != nil {
		return r, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		all, err := readDefaults(ctx, tx)
		r = all[space]
		return err
	})
	return r, err
}

// SetLocationDefaults says what holds for the locations of a space and of those below, where they or a space between say
// nothing, and gives that as it was written. It needs space:admin there. They are read again. ifMatch is for fault.IfMatch.
func (s *Service) SetLocationDefaults(ctx context.Context, space string, r Rules, ifMatch string) (Rules, error) {
	if err := s.access.ReadOrNotFound(ctx, "entity:read", space, "space "+clip(space)); err != nil {
		return r, err
	}
	if err := s.access.Authorize(ctx, "space:admin", space); err != nil {
		return r, err
	}
	if exists, err := s.access.Exists(ctx, space); err != nil || !exists {
		return r, orNotFound(err, "there is no space %s", clip(space))
	}
	r, err := s.checkRules(r)
	if err != nil {
		return r, err
	}
	kinds, err := json.Marshal(r.Kinds)
	if err != nil {
		return r, err
	}
	data, err := json.Marshal(map[string]any{"kinds": r.Kinds, "orphans": r.Orphans})
	if err != nil {
		return r, err
	}
	return r, s.db.Write(ctx, func(tx *store.Tx) error {
		if err := defaultsUnchanged(ctx, tx, space, ifMatch); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO location_defaults (space, rules, orphans) VALUES ($1, $2, $3)
ON CONFLICT (space) DO UPDATE SET rules = excluded.rules, orphans = excluded.orphans`, space, string(kinds), r.Orphans)
		if err != nil {
			return fault.Wrap(err, "write what holds for the locations of %s", space)
		}
		if _, err := s.ledger.Append(ctx, tx, ledger.Entry{Space: space, Type: "location.defaults", Subject: ref.New("space", "", space).String(), Data: data}); err != nil {
			return fault.Wrap(err, "note what holds for the locations of %s", space)
		}
		return s.enqueueBelow(ctx, tx, space)
	})
}

// defaultsUnchanged refuses with Stale to change what a space says for its locations when that is not as it was seen. A
// space that has said nothing gets a row that says so, since only a row can be held until the commit.
func defaultsUnchanged(ctx context.Context, tx *store.Tx, space, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, `INSERT INTO location_defaults (space, rules, orphans) VALUES ($1, 'null', '') ON CONFLICT (space) DO NOTHING`, space); err != nil {
		return fault.Wrap(err, "hold what holds for the locations of %s", space)
	}
	var kinds string
	var now Rules
	err := tx.QueryRow(ctx, `SELECT rules, orphans FROM location_defaults WHERE space = $1`+tx.ForUpdate(), space).Scan(&kinds, &now.Orphans)
	if err == nil {
		err = json.Unmarshal([]byte(kinds), &now.Kinds)
	}
	if err != nil {
		return fault.Wrap(err, "read what holds for the locations of %s", space)
	}
	return fault.IfMatch(ifMatch, now.Etag(), "what the locations of "+space+" may bring")
}

// enqueueBelow has the locations of a space and of those below read again.
func (s *Service) enqueueBelow(ctx context.Context, tx *store.Tx, space string) error {
	type place struct{ id, space string }
	rows, err := tx.Query(ctx, `SELECT id, space FROM locations ORDER BY id`)
	all, err := store.Collect(rows, err, func(r store.Row) (p place, err error) {
		err = r.Scan(&p.id, &p.space)
		return p, err
	})
	if err != nil {
		return fault.Wrap(err, "find the locations of %s", space)
	}
	below := map[string]bool{}
	for _, p := range all {
		if _, asked := below[p.space]; !asked {
			if below[p.space], err = s.access.Within(ctx, p.space, space); err != nil {
				return err
			}
		}
		if !below[p.space] {
			continue
		}
		if err := s.enqueue(ctx, tx, p.id, whyForced); err != nil {
			return err
		}
	}
	return nil
}

// orphansOf divides what no file declares any more: those of restricted kinds give rights, and are never kept.
func (s *Service) orphansOf(gone []ref.Entity) (orphans []string, rest []ref.Entity) {
	for _, e := range gone {
		if kind, known := s.registry.ByName(e.Kind); known && !kind.Restricted && kind.Name != locationKind {
			orphans = append(orphans, e.String())
		} else {
			rest = append(rest, e)
		}
	}
	return orphans, rest
}

// orphan has all that came from a location, and may stay, stay.
func (s *Service) orphan(ctx context.Context, tx *store.Tx, l Location) error {
	var never []string
	for _, kind := range s.registry.List() {
		if kind.Restricted || kind.Name == locationKind {
			never = append(never, strings.ToLower(kind.Name))
		}
	}
	in, args := numbered(3, never)
	rows, err := tx.Query(ctx, `SELECT ref FROM entities WHERE source = $1 AND space = $2 AND kind NOT IN (`+in+`) ORDER BY ref`, append([]any{l.source(), l.Space}, args...)...)
	names, err := store.Collect(rows, err, func(r store.Row) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return fault.Wrap(err, "keep what came from %s", l)
	}
	return s.keepOrphans(ctx, tx, l.Space, ofSource(l.source()), names)
}
