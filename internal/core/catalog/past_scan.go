package catalog

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Of the past there is no index: who asks how many there were, or who pointed at something, has the catalog of then gone
// through, one version after the other.
const (
	scanMost   = 200_000          // versions that are taken apart
	scanWait   = 15 * time.Second // that it may take
	scanAtOnce = 2                // of the whole server
)

// errEnough ends a scan at a bound.
var errEnough = errors.New("enough")

// scanColumns are what a scan reads of a version.
const scanColumns = `SELECT v.ref, v.space, v.source, v.document FROM entity_versions v WHERE `

// then gives the versions that were the last ones at a time and may be seen; name is in the text of each, "" for any.
func (m matcher) then(visible access.Set, name string) statement {
	var c conditions
	c.add("v.time <= $%d", store.Micros(m.q.At))
	c.parts = append(c.parts, latestAt+"$1)", "v.action <> 'deleted'", "v.document <> ''")
	m.sql(&c, visible)
	if name != "" {
		c.add(`lower(v.document) LIKE $%d ESCAPE '\'`, "%"+strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(name)+"%")
	}
	return statement{scanColumns + c.String(), c.args}
}

// scan gives versions to fn, in no order, of which none is kept. It has one statement of its own, and holds one document in
// memory. cut says that a bound ended it: there may be more. fn may end it so, too, by errEnough.
func (s *Service) scan(ctx context.Context, of statement, fn func(*storedVersion) error) (cut bool, err error) {
	if err := s.scans.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer s.scans.Release(1)
	bounded, cancel := context.WithTimeout(ctx, scanWait)
	defer cancel()
	err = s.db.Read(bounded, func(tx *store.Tx) error {
		rows, err := tx.Query(bounded, of.sql, of.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for count := 0; rows.Next(); count++ {
			if count == s.scanMost || bounded.Err() != nil {
				return errEnough
			}
			v, err := scanThen(rows)
			if err != nil {
				return err
			}
			if err := fn(&v); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if errors.Is(err, errEnough) || err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return true, nil
	}
	return false, fault.Wrap(err, "go through the catalog as it was")
}

func scanThen(r store.Row) (v storedVersion, err error) {
	var name, text string
	if err := r.Scan(&name, &v.space, &v.Source, &text); err != nil {
		return v, err
	}
	d, err := document.FromJSON([]byte(text))
	v.ref, v.document = parseStored(name), &d
	return v, err
}

// addInverseAt adds the relations that others declared to an entity then.
func (s *Service) addInverseAt(ctx context.Context, e *Entity, at time.Time, visible access.Set) (err error) {
	m := matcher{s: s, q: Query{At: at}}
	name := ""
	if ref.ValidName(e.Ref.Name) { // it stands as it is in the text of whoever names it
		name = e.Ref.Name
	}
	counts := map[string]int{}
	more := false
	cut, err := s.scan(ctx, m.then(visible, name), func(v *storedVersion) error {
		relations, _ := v.related(s)
		for _, r := range relations {
			back := s.registry.Inverse(r.Type)
			if r.Target != e.Ref || back == "" {
				continue
			}
			if counts[back]++; counts[back] > moreInverse {
				more = true
				continue
			}
			e.Relations = append(e.Relations, document.Relation{Type: back, Target: v.ref})
		}
		return nil
	})
	e.Relations, e.Cut = sort(e.Relations), cut || more
	return err
}
