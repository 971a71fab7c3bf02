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
	return &Service{watches: newWatches(), mirrors: newMirrors(), db: s.db, access: s.access, ledger: s.ledger, git: s.git, dir: s.dir, now: now, log: s.log, grace: s.grace, limits: s.limits, leaks: s.leaks, large: s.large, started: s.started, locks: locks{byID: map[string]*turn{}, clean: map[string]bool{}}}
}

// DropLarge removes files of Git LFS that no repository has, older than a time.
func (s *Service) DropLarge(ctx context.Context, before time.Time) error {
	return s.dropLarge(ctx, before)
}

// PurgeDue removes the deleted repositories whose time is over.
func (s *Service) PurgeDue(ctx context.Context) { s.purgeDue(ctx) }

// Look is what the loop does when the time of an outside repository has come.
func (s *Service) Look(ctx context.Context, id string) error { return s.look(ctx, id, ask{}) }

// Drop drops a mirror that nobody uses.
func (s *Service) Drop(ctx context.Context, id string) (bool, error) { return s.drop(ctx, id) }

// Trim bounds the mirrors.
func (s *Service) Trim(ctx context.Context) error { return s.trim(ctx) }

// Due gives the outside repositories whose time has come.
func (s *Service) Due(now time.Time) (ids []string) {
	for _, integration := range s.watches.due(now) {
		for {
			id, ok := s.watches.take(context.Background(), integration, now)
			if !ok {
				break
			}
			ids = append(ids, id)
		}
	}
	return ids
}
