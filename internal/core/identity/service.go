package identity

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Service makes and checks proofs of identity. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	access  *access.Service
	ledger  *ledger.Ledger
	now     func() time.Time
	log     *slog.Logger
	limiter *Limiter
	judge   Judge // nil: nobody is asked

	bearers store.Held[[32]byte, presented] // by hash

	mu   sync.Mutex
	used map[string]time.Time // id of a token or session → last use that is not written yet
}

// New gives the service and makes it follow the User documents of access.
func New(db *store.DB, access *access.Service, ledger *ledger.Ledger, now func() time.Time, log *slog.Logger) *Service {
	s := &Service{db: db, access: access, ledger: ledger, now: now, log: log, used: map[string]time.Time{}, limiter: NewLimiter(now)}
	access.Project("User", s.userChanged)
	return s
}

const (
	writeUses = time.Minute // the time of a last use is exact to this
	purge     = time.Hour
)

// Run writes down the last uses and forgets what has expired, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	uses, old := time.NewTicker(writeUses), time.NewTicker(purge)
	defer uses.Stop()
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return s.writeUses(last)
		case <-uses.C:
			s.tried(ctx, "write the last uses of tokens", s.writeUses(ctx))
		case <-old.C:
			s.tried(ctx, "forget expired sessions", s.purge(ctx))
		}
	}
}

func (s *Service) tried(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "identity will try again", "attempt", what, "error", err)
	}
}

// touch notes a use, to be written later.
func (s *Service) touch(id string, now time.Time) {
	s.mu.Lock()
	s.used[id] = now
	s.mu.Unlock()
}

// lastUse gives a use that is not written yet, or zero.
func (s *Service) lastUse(id string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[id]
}

func (s *Service) writeUses(ctx context.Context) error {
	s.mu.Lock()
	uses := s.used
	s.used = make(map[string]time.Time, len(uses))
	s.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error { return saveUses(ctx, tx, uses) })
	if err != nil {
		s.mu.Lock()
		for id, at := range uses {
			if s.used[id].Before(at) {
				s.used[id] = at
			}
		}
		s.mu.Unlock()
	}
	return err
}

// purge forgets what can't be used again. Tokens stay, so that a list shows what there was.
func (s *Service) purge(ctx context.Context) error {
	now := s.now()
	return s.db.Write(ctx, func(tx *store.Tx) error { return deleteExpired(ctx, tx, now) })
}

// administer asks for the right to act for others.
func (s *Service) administer(ctx context.Context) error {
	return s.access.Authorize(ctx, "space:admin", access.Root)
}

// signedIn gives the user or machine that acts.
func signedIn(ctx context.Context) (actor.Principal, error) {
	p := actor.From(ctx)
	if p.Kind != actor.User && p.Kind != actor.Machine {
		return p, fault.Errorf(fault.Denied, "only a user or a machine can do that for itself; name a principal")
	}
	return p, nil
}
