package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TrustedFor tells whether what a source brings may be of a restricted kind, now: what was applied may, since that took the
// right to it, and what a location brings if an administrator has trusted it for the kind. It asks for no right.
func (s *Service) TrustedFor(ctx context.Context, source, kind string) (trusted bool, err error) {
	id, is := strings.CutPrefix(source, locationPrefix)
	if !is {
		return true, nil
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		l, err := locationByID(ctx, tx, id)
		trusted = slices.Contains(l.Trusted, kind)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return trusted, fault.Wrap(err, "look what %s is trusted for", clip(source))
}
