package policy

import "time"

// Budget bounds the time of all policies of a decision for a test.
func (s *Service) Budget(all time.Duration) { s.budget = all }
