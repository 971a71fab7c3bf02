package mirror

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Deps are the rooms this one stands on.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Access   *access.Service
	Packages Packages
	Log      *slog.Logger
}

// Service gives and keeps providers.
type Service struct{ Deps }

// New builds the room.
func New(d Deps) *Service { return &Service{d} }

// readable asks for mirror:read in any space.
func (s *Service) readable(ctx context.Context) error {
	where, err := s.Access.Spaces(ctx, "mirror:read")
	if err == nil && where.Empty() {
		err = fault.Errorf(fault.Denied, "mirror:read is missing; ask an administrator for a role that has it, such as reader")
	}
	return err
}

// Versions gives the versions of a provider, with their platforms. Permission: mirror:read in any space. NotFound when there
// are none, Unavailable when its registry can't be asked.
func (s *Service) Versions(ctx context.Context, n provider.Name) (map[string][]string, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	return s.Packages.Versions(ctx, n)
}

// Archives gives the hashes of each platform's package of a version. Permission: mirror:read in any space.
func (s *Service) Archives(ctx context.Context, n provider.Name, version string) (map[string][]string, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	return s.Packages.Archives(ctx, n, version)
}

// Open gives an archive, which may be fetched first. Permission: mirror:read in any space.
func (s *Service) Open(ctx context.Context, p provider.Package) (*os.File, provider.Record, error) {
	if err := s.readable(ctx); err != nil {
		return nil, provider.Record{}, err
	}
	return s.Packages.Open(ctx, p)
}

// List gives what is kept, by provider, version and platform. Permission: mirror:read in any space.
func (s *Service) List(ctx context.Context, part page.Request) (page.Of[Kept], error) {
	if err := s.readable(ctx); err != nil {
		return page.Of[Kept]{}, err
	}
	return page.From(s.Packages.List(), part, key), nil
}

// Add keeps a package that the caller brings; the same again changes nothing. Permission: mirror:write in space default.
// Invalid when it is no archive of a provider, Conflict when there is another archive of it.
func (s *Service) Add(ctx context.Context, p provider.Package, content io.Reader) (Kept, error) {
	if err := s.Access.Authorize(ctx, "mirror:write", access.Root); err != nil {
		return Kept{}, err
	}
	r, fresh, err := s.Packages.Add(p, content)
	if err != nil || !fresh {
		return Kept{Package: p, Record: r}, err
	}
	return Kept{Package: p, Record: r}, s.tell(ctx, "mirror.added", p, r)
}

// Remove takes a package away. Permission: mirror:write in space default. NotFound when it is not kept.
func (s *Service) Remove(ctx context.Context, p provider.Package) error {
	if err := s.Access.Authorize(ctx, "mirror:write", access.Root); err != nil {
		return err
	}
	if err := s.Packages.Remove(p); err != nil {
		return err
	}
	return s.tell(ctx, "mirror.removed", p, provider.Record{})
}
