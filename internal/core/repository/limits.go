package repository

import "github.com/roadbed-dev/roadbed/internal/words/fault"

// Limits bound what a repository takes, in bytes; 0 is the server's default.
type Limits struct {
	Push   int64 // of one push
	File   int64 // of one file in a push
	Object int64 // of one file of Git LFS
	Large  int64 // of all files of Git LFS of one repository
}

// LimitsChange says which limits are to change; nil leaves one as it is.
type LimitsChange struct{ Push, File, Object, Large *int64 }

// change gives the limits after a change of them.
func (l Limits) change(c LimitsChange) (out Limits, changed bool, err error) {
	for _, pair := range []struct{ now, to *int64 }{{&l.Push, c.Push}, {&l.File, c.File}, {&l.Object, c.Object}, {&l.Large, c.Large}} {
		if pair.to == nil {
			continue
		}
		if *pair.to < 0 {
			return l, false, fault.Errorf(fault.Invalid, "a limit is a number of bytes, or 0 for the server's")
		}
		*pair.now, changed = *pair.to, true
	}
	return l, changed, nil
}

func defaults() Limits {
	return Limits{Push: 2 << 30, File: 512 << 20, Object: 5 << 30, Large: 50 << 30}
}

// Bound sets the limits of the server; call it before anything is served.
func (s *Service) Bound(l Limits) {
	for _, pair := range [][2]*int64{{&s.limits.Push, &l.Push}, {&s.limits.File, &l.File}, {&s.limits.Object, &l.Object}, {&s.limits.Large, &l.Large}} {
		if *pair[1] > 0 {
			*pair[0] = *pair[1]
		}
	}
}

// limitsOf gives what holds for a repository: its own limits only ever lower the server's.
func (s *Service) limitsOf(r Repository) Limits {
	lower := func(server, own int64) int64 {
		if own > 0 {
			return min(server, own)
		}
		return server
	}
	return Limits{lower(s.limits.Push, r.Limits.Push), lower(s.limits.File, r.Limits.File), lower(s.limits.Object, r.Limits.Object), lower(s.limits.Large, r.Limits.Large)}
}
