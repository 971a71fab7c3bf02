package catalog

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// HoldLocation has the catalog read a target into a space for as long as an entity stands for it, as a Location entity does
// for what it names: in the transaction of the room that owns the entity, and in the platform's name. It asks for no right.
// That there is no file is no error of such a location. One that is held already is given as it is.
func (s *Service) HoldLocation(ctx context.Context, tx *store.Tx, by ref.Entity, space string, target Target) (Location, error) {
	target, err := target.check()
	if err != nil {
		return Location{}, err
	}
	l, err := s.register(ctx, tx, space, target, true, false)
	if err != nil {
		return l, err
	}
	if !l.Existed {
		l.optional = true
		if err := s.saveLocation(ctx, tx, l); err != nil {
			return l, err
		}
	}
	if err := addParent(ctx, tx, by, child{location: l.ID}); err != nil {
		return l, err
	}
	return l, s.enqueue(ctx, tx, l.ID, whyForced)
}

// LetGo ends that an entity stands for a location. When nobody else does, and nobody registered it, it goes with what came
// from it, or leaves orphans where its rules say so; gone tells that. It asks for no right.
func (s *Service) LetGo(ctx context.Context, tx *store.Tx, by ref.Entity, id string) (gone bool, err error) {
	l, err := locationByID(ctx, tx, id)
	if fault.Is(err, fault.NotFound) {
		return true, removeParent(ctx, tx, by, id)
	}
	if err != nil {
		return false, err
	}
	if err := removeParent(ctx, tx, by, id); err != nil || l.kept {
		return false, err
	}
	others, err := holders(ctx, tx, id, map[string]bool{})
	if err != nil || len(others) > 0 {
		return false, err
	}
	ruled, err := s.rulesOf(ctx, tx, l)
	if err != nil {
		return false, err
	}
	return true, s.forget(ctx, tx, l, ruled.keep(), func(document.Kind) error { return nil })
}
