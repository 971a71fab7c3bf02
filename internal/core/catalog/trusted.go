package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// SetUpSource is that of what the platform declares itself when it begins.
const SetUpSource = "roadbed:set-up"

// rightsKind is the kind of documents that give rights.
const rightsKind = "RoleBinding"

// TrustedFor tells whether what a source brings may be of a restricted kind, now: what was applied or pushed may, since that
// took the right to it, what the platform set up, and what a location brings if an administrator has trusted it for the
// kind. Any other may not. It asks for no right.
func (s *Service) TrustedFor(ctx context.Context, source, kind string) (trusted bool, err error) {
	id, is := strings.CutPrefix(source, locationPrefix)
	if !is {
		name, pushed := strings.CutPrefix(source, sourcePrefix)
		return source == SetUpSource || sourcePattern.MatchString(source) || pushed && sourceName.MatchString(name), nil
	}
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		trusted, err = trustedFor(ctx, tx, id, kind)
		return err
	})
	return trusted, err
}

// trustedFor tells whether a location is trusted for a kind.
func trustedFor(ctx context.Context, tx *store.Tx, location, kind string) (bool, error) {
	l, err := locationByID(ctx, tx, location)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return slices.Contains(l.Trusted, kind), fault.Wrap(err, "look what location %s is trusted for", clip(location))
}

// MayGiveRights tells whether what a source brings may give rights to anybody in its space: what the platform set up, and a
// location that is trusted for RoleBinding. It asks for no right.
func (s *Service) MayGiveRights(ctx context.Context, tx *store.Tx, source string) (bool, error) {
	id, is := strings.CutPrefix(source, locationPrefix)
	if !is {
		return source == SetUpSource, nil
	}
	return trustedFor(ctx, tx, id, rightsKind)
}

// OnDistrust has fn called in the transaction in which a location of the root space, where policies give rights, is no longer
// trusted for RoleBinding, names something else, or is gone.
func (s *Service) OnDistrust(fn func(ctx context.Context, tx *store.Tx) error) { s.distrusted = fn }

// distrust tells of a location that was trusted to give rights and is not any more.
func (s *Service) distrust(ctx context.Context, tx *store.Tx, was Location, now []string) error {
	if s.distrusted == nil || was.Space != access.Root || !slices.Contains(was.Trusted, rightsKind) || slices.Contains(now, rightsKind) {
		return nil
	}
	return fault.Wrap(s.distrusted(ctx, tx), "end what %s gave", was)
}
