package hook

import "context"

// Settle does what Run does when it is woken, once: the jobs are the caller's to work off.
func (s *Service) Settle(ctx context.Context) error {
	if err := s.flushRefusals(ctx); err != nil {
		return err
	}
	return s.ask(ctx)
}

// Prune is the job.
func (s *Service) Prune(ctx context.Context) error { return s.prune(ctx) }

// RowLimit is how large a compressed payload in its row may be.
const RowLimit = rowLimit

// Attempts is how often a delivery is tried.
const Attempts = attempts
