package catalog

import (
	"context"
	"errors"

	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RemoveOf deletes what was a source's when it was looked for.
func (s *Service) RemoveOf(ctx context.Context, space, source string, refs ...ref.Entity) error {
	told := 0
	r := &removal{s: s, space: space, source: source, told: &told, still: func(context.Context, *store.Tx) error { return nil }}
	return r.all(ctx, refs)
}

// Hasten has what is done once in a while done at once.
func (s *Service) Hasten() { s.wrong.pause = 0 }

// LookThrough has each part of a list of the past end after some versions.
func (s *Service) LookThrough(versions int) { s.pastMost = versions }

// KeepTwice looks twice whether the index is to be kept, as happens within an hour, and does what is given in between.
func (s *Service) KeepTwice(ctx context.Context, between func()) error {
	var k keeper
	first := k.look(ctx, s)
	between()
	return errors.Join(first, k.look(ctx, s))
}

// GoThrough has a scan of the past end after some versions.
func (s *Service) GoThrough(versions int) { s.scanMost = versions }

// Stock puts all entities on the shelf, and tells how many are there as the index has them.
func (s *Service) Stock(ctx context.Context) (there int, err error) {
	if _, err := s.current(ctx); err != nil {
		return 0, err
	}
	err = s.stockOnce(ctx, 0)
	s.follower.index.Some(0, 1<<30, func(hit index.Hit) bool {
		if !s.shelf.lacks(hit) {
			there++
		}
		return true
	})
	return there, err
}
