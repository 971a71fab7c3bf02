package catalog

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RemoveOf deletes what was a source's when it was looked for.
func (s *Service) RemoveOf(ctx context.Context, space, source string, refs ...ref.Entity) error {
	told := 0
	r := &removal{s: s, space: space, source: source, told: &told, still: func(context.Context, *store.Tx) error { return nil }}
	return r.all(ctx, refs)
}

// LookThrough has each part of a list of the past end after some versions.
func (s *Service) LookThrough(versions int) { s.pastMost = versions }
