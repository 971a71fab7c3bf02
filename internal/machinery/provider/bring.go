package provider

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bring keeps a package that comes from elsewhere than its registry, such as from another mirror, once for all who ask
// meanwhile. want is the SHA-256 that it has to have, as somebody has told whom the caller believes; what is kept with another one
// goes. Conflict when what comes is something else.
func (s *Store) Bring(ctx context.Context, p Package, want, from string, open func(ctx context.Context) (io.ReadCloser, error)) error {
	if err := p.Check(); err != nil {
		return fault.Errorf(fault.NotFound, "%w", err)
	}
	if s.has(p, want) {
		return nil
	}
	_, err := s.once(ctx, "bring "+want+" "+p.String(), fetchingTime, func(ctx context.Context) (any, error) {
		if s.has(p, want) {
			return nil, nil
		}
		begun := s.Now()
		body, err := open(ctx)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		temp, sum, size, err := s.receive(body)
		if fault.Is(err, fault.Internal) { // its connection broke
			return nil, fault.Errorf(fault.Unavailable, "fetch %s from %s: %w", p, from, err)
		}
		if err != nil {
			return nil, fault.Wrap(err, "fetch %s", p)
		}
		defer os.Remove(temp)
		if sum != want {
			return nil, fault.Errorf(fault.Conflict, "the SHA-256 of %s, as it came from %s, is %s and not %s; it is not taken", p, from, sum, want)
		}
		if r, err := s.recordOf(p); err == nil && r.SHA256 != want {
			s.Log.Warn("another archive of a provider takes the place of the one that was kept", "package", p.String(), "sha256", want, "was", r.SHA256)
			s.remove(p)
		}
		if _, err := s.keep(p, temp, Record{SHA256: want, From: from}); err != nil {
			return nil, err
		}
		s.Log.Info("fetched a provider", "package", p.String(), "from", from, "bytes", size, "sha256", want, "took", s.Now().Sub(begun).Round(time.Millisecond))
		s.prune(p)
		return nil, nil
	})
	return err
}

// has tells whether a package is kept with a checksum, and is as it was when it was looked at.
func (s *Store) has(p Package, want string) bool {
	r, err := s.known(p, true)
	return err == nil && r.SHA256 == want
}
