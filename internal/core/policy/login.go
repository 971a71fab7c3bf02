package policy

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Admits asks the login policies, which hold in the root space alone, whether a principal may sign in. Without any it may.
// Where there are some, one has to allow it, or to call it an admin; what one denies stays denied. Denied with their words.
func (s *Service) Admits(ctx context.Context, principal string, input func() (any, error)) error {
	d, asked, err := s.Consult(ctx, "login", access.Root, Refs{Subject: principal}, input)
	switch {
	case err != nil:
		return fault.Wrap(err, "ask the login policies")
	case !asked:
		return nil
	case d.Denied():
		return fault.Errorf(fault.Denied, "a login policy denies it: %s", strings.Join(d.Outcome["deny"], "; "))
	case !d.Holds("allow") && !d.Holds("admin") && !d.Holds("roles") && !d.Holds("space_admin") && !d.Holds("space_write") && !d.Holds("space_read"):
		return fault.Errorf(fault.Denied, "no login policy allows it (%s); ask an administrator", strings.Join(d.Policies, ", "))
	}
	return nil
}
