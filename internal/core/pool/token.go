package pool

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/identity"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// tokenPrefix begins the tokens of agents.
const tokenPrefix = "rba_"

const (
	maxTokens    = 100 // that one pool can have in use
	tokenMaxLife = 10 * 366 * 24 * time.Hour
)

// Token is what may be known of a token of a pool.
type Token struct {
	ID, Pool, Name string
	Created        time.Time
	CreatedBy      string    // pri_…
	Expires        time.Time // zero: never
	Used           time.Time // within a minute; zero when never
	Revoked        time.Time

	lookup string
	hash   []byte
}

// CreateToken makes a token of a pool and gives its secret, which can't be seen again. Permission: pool:admin in the
// pool's space, by a person or a machine whose own token has no scopes that leave it out. Exhausted when the pool has 100 in use.
func (s *Service) CreateToken(ctx context.Context, pool, name string, expires time.Time) (Token, string, error) {
	p, err := s.reach(ctx, pool, Right)
	if err != nil {
		return Token{}, "", err
	}
	now := s.Now()
	switch {
	case name == "" || len(name) > 100 || strings.ContainsAny(name, "\n\r\t\x00"):
		return Token{}, "", fault.Errorf(fault.Invalid, "a token needs a name of at most 100 characters on one line, to recognise it by")
	case !expires.IsZero() && (!expires.After(now) || expires.After(now.Add(tokenMaxLife))):
		return Token{}, "", fault.Errorf(fault.Invalid, "a token ends between now and in ten years, not on %s", expires.UTC().Format(time.RFC3339))
	case actor.From(ctx).Kind == actor.Workload:
		return Token{}, "", fault.Errorf(fault.Denied, "a step of a run can't make tokens; they would outlive it")
	}
	proof := identity.NewProof(tokenPrefix)
	t := Token{ID: ref.NewID(ref.PoolToken, now), Pool: p.Name, Name: name, Created: now, CreatedBy: actor.From(ctx).ID, Expires: expires}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := byName(ctx, tx, p.Name); err != nil {
			return err
		}
		n := 0
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM pool_tokens WHERE pool = $1 AND revoked = 0 AND (expires = 0 OR expires > $2)", p.Name, store.Micros(now)).Scan(&n); err != nil {
			return err
		}
		if n >= maxTokens {
			return fault.Errorf(fault.Exhausted, "worker pool %s has %d tokens in use; revoke some that are not needed", p.Name, n)
		}
		_, err := tx.Exec(ctx, "INSERT INTO pool_tokens (id, pool, name, lookup, hash, created, created_by, expires, used, revoked) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,0,0)",
			t.ID, t.Pool, t.Name, proof.Lookup, proof.Hash, store.Micros(now), t.CreatedBy, store.Micros(expires))
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, p, "pool.token-created", map[string]any{"token": t.ID})
	})
	return t, proof.Secret, fault.Wrap(err, "make a token of worker pool %s", pool)
}

// Tokens gives the tokens of a pool, the newest first, revoked and expired ones included. Permission: pool:admin in the
// pool's space.
func (s *Service) Tokens(ctx context.Context, pool string, part page.Request) (list page.Of[Token], err error) {
	p, err := s.reach(ctx, pool, Right)
	if err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Equal("pool", p.Name)
		w.Before("id", part.Cursor)
		rows, err := tx.Query(ctx, tokenColumns+w.String()+"ORDER BY id DESC LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanToken)
		list = page.Cut(all, part, func(t Token) string { return t.ID })
		return err
	})
	s.latest(list.Items)
	return list, fault.Wrap(err, "list the tokens of worker pool %s", pool)
}

// TokensInUse gives the tokens of a pool that are good, the newest first; there are at most 100. Permission: pool:admin in the
// pool's space.
func (s *Service) TokensInUse(ctx context.Context, pool string) (list []Token, err error) {
	p, err := s.reach(ctx, pool, Right)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, tokenColumns+" WHERE pool = $1 AND revoked = 0 AND (expires = 0 OR expires > $2) ORDER BY id DESC", p.Name, store.Micros(s.Now()))
		list, err = store.Collect(rows, err, scanToken)
		return err
	})
	s.latest(list)
	return list, fault.Wrap(err, "list the tokens of worker pool %s", pool)
}

// TokenInUse gives a token by its id, that is good. Permission: pool:admin in the space of its pool; otherwise NotFound.
func (s *Service) TokenInUse(ctx context.Context, id string) (t Token, err error) {
	none := access.NotFound("token " + id)
	if !ref.IsID(id, ref.PoolToken) {
		return Token{}, none
	}
	p := Pool{}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if t, err = store.One(tx.QueryRow(ctx, tokenColumns+" WHERE id = $1 AND revoked = 0 AND (expires = 0 OR expires > $2)", id, store.Micros(s.Now())), scanToken, "token %s", id); err == nil {
			p, err = byName(ctx, tx, t.Pool)
		}
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && !s.Access.May(ctx, Right, p.Space):
		return Token{}, none
	case err != nil:
		return Token{}, fault.Wrap(err, "look for a token")
	}
	list := []Token{t}
	s.latest(list)
	return list[0], nil
}

// latest adds to tokens the uses of theirs that are not written yet.
func (s *Service) latest(list []Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range list {
		if used := s.used[t.ID]; used.After(t.Used) {
			list[i].Used = used
		}
	}
}

// RevokeToken ends a token of a pool at once; revoking again changes nothing. Permission: pool:admin in the pool's space.
func (s *Service) RevokeToken(ctx context.Context, pool, id string) error {
	p, err := s.reach(ctx, pool, Right)
	if err != nil {
		return err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE pool_tokens SET revoked = $3 WHERE id = $1 AND pool = $2 AND revoked = 0", id, p.Name, store.Micros(s.Now()))
		if err != nil {
			return err
		}
		if n > 0 {
			return s.tell(ctx, tx, p, "pool.token-revoked", map[string]any{"token": id})
		}
		there := 0
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM pool_tokens WHERE id = $1 AND pool = $2", id, p.Name).Scan(&there); err != nil || there > 0 {
			return err
		}
		return access.NotFound("token " + id + " of worker pool " + p.Name)
	})
	return fault.Wrap(err, "revoke a token of worker pool %s", pool)
}

// authenticate gives the pool that a token is of, and its id. Anything else than one that is good now is Unauthenticated.
func (s *Service) authenticate(ctx context.Context, secret string) (Pool, string, error) {
	wrong := fault.Errorf(fault.Unauthenticated, "this is no token of a worker pool; make one with `roadbed pool token create POOL NAME`")
	lookup, hash, ok := identity.ReadProof(secret, tokenPrefix)
	if !ok {
		return Pool{}, "", wrong
	}
	var t Token
	var p Pool
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if t, err = scanToken(tx.QueryRow(ctx, tokenColumns+" WHERE lookup = $1", lookup)); err != nil {
			return err
		}
		p, err = byName(ctx, tx, t.Pool)
		return err
	})
	now := s.Now()
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && !identity.SameProof(t.hash, hash):
		return Pool{}, "", wrong
	case err != nil:
		return Pool{}, "", fault.Wrap(err, "authenticate an agent")
	case !t.Revoked.IsZero():
		return Pool{}, "", fault.Errorf(fault.Unauthenticated, "the token %q of worker pool %s was revoked; give the agent another one", t.Name, p.Name)
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return Pool{}, "", fault.Errorf(fault.Unauthenticated, "the token %q of worker pool %s expired on %s; give the agent another one", t.Name, p.Name, t.Expires.UTC().Format(time.RFC3339))
	}
	s.mu.Lock()
	s.used[t.ID] = now
	s.mu.Unlock()
	return p, t.ID, nil
}
