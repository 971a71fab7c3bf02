package mirror

import (
	"context"
	"time"
)

// The folder is tidied some time after the start, which it would only slow down, and then now and then.
const (
	firstTidy = 5 * time.Minute
	tidyEvery = time.Hour
)

// Run removes what the folder has too much of, and what is left of packages that somebody took out of it by hand, until
// ctx ends.
func (s *Service) Run(ctx context.Context) error {
	timer := time.NewTimer(firstTidy)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		timer.Reset(tidyEvery)
		if n := s.Packages.Tidy(); n > 0 {
			s.Log.Info("tidied the mirror of providers", "removed", n)
		}
	}
}
