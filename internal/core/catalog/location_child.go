package catalog

import (
	"bytes"
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
			var target Target
			var err error
			if fromFile {
				target, err = s.targetFor(ctx, c.Space, text)
			} else {
				target, err = s.TargetAt(ctx, text)
			}
			if fromFile && fault.KindOf(err) == fault.Invalid {
				continue // the reading has noted it
			}
			if err != nil {
				return pointed(err, *c.New)
			}
			l, err := s.registerChild(ctx, tx, c, target, source)
			if err != nil {
				return fault.Wrap(err, "%s", strings.Join(fields[i], "."))
			}
			wanted[l.ID] = true
		}
	}
	return s.forgetChildren(ctx, tx, c, wanted, fromFile)
}

func (s *Service) registerChild(ctx context.Context, tx *store.Tx, c document.Change, target Target, source string) (Location, error) {
	// Who wrote the file is not who refreshes it, so a file lends nobody's rights.
	readable := false
	if !strings.HasPrefix(source, locationPrefix) {
		var err error
		if readable, err = s.mayRead(ctx, target.Repository); err != nil {
			return Location{}, err
		}
	}
	l, err := s.register(ctx, tx, c.Space, target, readable, false)
	if err != nil {
		return l, err
	}
	optional := c.New.Spec["presence"] == "optional"
	above, below := strings.CutPrefix(source, locationPrefix)
	if below && !l.Existed {
		if l.Origin, l.depth, err = originOf(ctx, tx, above); err != nil {
			return l, err
		}
		if l.depth > maxDepth {
			return l, fault.Errorf(fault.Invalid, "%s is more than %d locations away from one that somebody registered; register it", l, maxDepth)
		}
	}
	if below && !l.Existed || optional != l.optional {
		l.optional = optional && !l.kept
		if err := s.saveLocation(ctx, tx, l); err != nil {
			return l, err
		}
	}
	if err := addParent(ctx, tx, c.Ref, l.ID); err != nil {
		return l, err
	}
	if l.Existed && c.Old != nil && bytes.Equal(c.Old.JSON(), c.New.JSON()) {
		return l, nil // it has been read
	}
	return l, s.enqueue(ctx, tx, l.ID, whyForced)
}

// originOf gives the registered location that led to one, and how far below it the next one is.
func originOf(ctx context.Context, tx *store.Tx, id string) (origin string, depth int, err error) {
	l, err := locationByID(ctx, tx, id)
	if err == nil && l.Origin != "" && !l.kept {
		return l.Origin, l.depth + 1, nil
	}
	return id, 1, err
}

// forgetChildren removes the locations that an entity named before and does not name now, unless somebody registered
// them or another entity names them.
func (s *Service) forgetChildren(ctx context.Context, tx *store.Tx, c document.Change, wanted map[string]bool, fromFile bool) error {
	children, err := childrenOf(ctx, tx, c.Ref)
	if err != nil {
		return err
	}
	for _, id := range children {
		if wanted[id] {
			continue
		}
		l, err := locationByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := removeParent(ctx, tx, c.Ref, id); err != nil {
			return err
		}
		if l.kept {
			continue
		}
		parents, err := holders(ctx, tx, id, map[string]bool{})
		if err != nil {
			return err
		}
		if len(parents) > 0 {
			continue
		}
		ruled, err := s.rulesOf(ctx, tx, l)
		if err != nil {
			return err
		}
		err = s.forget(ctx, tx, l, ruled.keep(), func(kind document.Kind) error {
			if !kind.Restricted || fromFile {
				return nil
			}
			return fault.Wrap(s.access.Authorize(ctx, kind.Takes(), l.Space), "delete a %s", kind.Name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
