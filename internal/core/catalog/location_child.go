package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// child is a location that an entity names, and the address by which it does, as addressKey gives it; "" for an entity that
// holds it by no address.
type child struct{ location, address string }

// addressKey stands for an address in the database, whose indexes take no text of any length.
func addressKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// locationChanged follows the targets of a Location entity that are addresses: each becomes a location of its own, in
// the entity's space. Paths relative to a file are read along with that file. An address that leads nowhere now, as when its
// repository was disconnected, keeps the location that it led to.
func (s *Service) locationChanged(ctx context.Context, tx *store.Tx, c document.Change, source string) error {
	fromFile := strings.HasPrefix(source, locationPrefix)
	named, lost := map[child]bool{}, map[string]bool{}
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
				lost[addressKey(text)] = true // the reading has noted it
				continue
			}
			if err != nil {
				return pointed(err, *c.New)
			}
			l, err := s.registerChild(ctx, tx, c, target, addressKey(text), source)
			if err != nil {
				return fault.Wrap(err, "%s", strings.Join(fields[i], "."))
			}
			named[child{l.ID, addressKey(text)}] = true
		}
	}
	return s.forgetChildren(ctx, tx, c, func(one child) bool { return named[one] || lost[one.address] }, fromFile)
}

func (s *Service) registerChild(ctx context.Context, tx *store.Tx, c document.Change, target Target, address, source string) (Location, error) {
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
	if err := addParent(ctx, tx, c.Ref, child{l.ID, address}); err != nil {
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
func (s *Service) forgetChildren(ctx context.Context, tx *store.Tx, c document.Change, stays func(child) bool, fromFile bool) error {
	children, err := childrenOf(ctx, tx, c.Ref)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, one := range children {
		kept[one.location] = kept[one.location] || stays(one)
	}
	var gone []string
	for _, one := range children {
		switch {
		case stays(one):
		case kept[one.location]: // by another address
			if err := removeAddress(ctx, tx, c.Ref, one); err != nil {
				return err
			}
		case len(gone) == 0 || gone[len(gone)-1] != one.location:
			gone = append(gone, one.location)
		}
	}
	for _, id := range gone {
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
