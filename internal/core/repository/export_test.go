package repository

import (
	"context"
	"time"
)

// Pack packs a repository when nothing is being received for it.
func (s *Service) Pack(ctx context.Context, id string) (bool, error) { return s.pack(ctx, id) }

// Waiting is how many write a repository or wait to.
func (s *Service) Waiting(id string) int {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	if t := s.locks.byID[id]; t != nil {
		return t.waiting
	}
	return 0
}

// At gives the service with another clock.
func (s *Service) At(now func() time.Time) *Service {
	return &Service{db: s.db, access: s.access, ledger: s.ledger, git: s.git, dir: s.dir, now: now, log: s.log, grace: s.grace, started: s.started, locks: locks{byID: map[string]*turn{}, clean: map[string]bool{}}}
}

// PurgeDue removes the deleted repositories whose time is over.
func (s *Service) PurgeDue(ctx context.Context) { s.purgeDue(ctx) }
