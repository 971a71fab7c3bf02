package catalog

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// locationChanged follows the targets of a Location entity that are addresses: each becomes a location of its own, in
// the entity's space. Paths relative to a file are read along with that file.
func (s *Service) locationChanged(ctx context.Context, tx *store.Tx, c document.Change, source string) error {
	fromFile := strings.HasPrefix(source, locationPrefix)
	wanted := map[string]bool{}
	if c.New != nil {
		targets, fields := targetsOf(*c.New)
		for i, text := range targets {
			if fromFile && !isAddress(text) {
				continue
			}
			target, err := s.ParseTarget(text)
			if err != nil && fromFile {
				continue // the reading has noted it
			}
			if err != nil {
				return pointed(err, *c.New)
			}
			l, err := s.registerChild(ctx, tx, c, target, fromFile)
			if err != nil {
				return fault.Wrap(err, "%s", strings.Join(fields[i], "."))
			}
			wanted[l.ID] = true
		}
	}
	return s.forgetChildren(ctx, tx, c, wanted, fromFile)
}

func (s *Service) registerChild(ctx context.Context, tx *store.Tx, c document.Change, target Target, fromFile bool) (Location, error) {
	// Who wrote the file is not who refreshes it, so a file lends nobody's rights.
	readable := false
	if !fromFile {
		var err error
		if readable, err = s.mayRead(ctx, target.Repository); err != nil {
			return Location{}, err
		}
	}
	l, err := s.register(ctx, tx, c.Space, target, c.Ref, readable)
	if err != nil {
		return l, err
	}
	return l, s.enqueue(ctx, tx, l.ID, true)
}

// forgetChildren removes the locations that an entity named before and does not name now.
func (s *Service) forgetChildren(ctx context.Context, tx *store.Tx, c document.Change, wanted map[string]bool, fromFile bool) error {
	rows, err := tx.Query(ctx, `SELECT `+locationColumns+` FROM locations WHERE parent = $1 ORDER BY id`, c.Ref.String())
	children, err := store.Collect(rows, err, scanLocation)
	if err != nil {
		return fault.Wrap(err, "find the locations of %s", c.Ref)
	}
	for _, l := range children {
		if wanted[l.ID] {
			continue
		}
		err := s.forget(ctx, tx, l, func(kind document.Kind) error {
			if !kind.Restricted || fromFile {
				return nil
			}
			return fault.Wrap(s.access.Authorize(ctx, "space:admin", l.Space), "delete a %s", kind.Name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
