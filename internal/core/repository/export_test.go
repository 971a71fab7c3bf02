package repository

import "context"

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
