package identity

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

type doorKey struct{}

// AtDoor marks the requests that come through the steps' door.
func AtDoor(ctx context.Context) context.Context { return context.WithValue(ctx, doorKey{}, true) }

type remoteKey struct{}

// From notes the address that a request comes from ("10.1.2.3:4567"), so that whoever guesses is slowed down.
func From(ctx context.Context, remote string) context.Context {
	return context.WithValue(ctx, remoteKey{}, remote)
}

// slowed holds an attempt back where its address has failed too often and the secret could be guessed: those that this
// room makes can't, at the door none can, and those that were right there before need not, so that nobody is locked out by what others at the
// address do.
func (s *Service) slowed(ctx context.Context, secret string, attempt func() error) error {
	remote, known := ctx.Value(remoteKey{}).(string)
	if !known || ctx.Value(doorKey{}) != nil || wellFormed(secret, tokenPrefix) || wellFormed(secret, linkPrefix) {
		return attempt()
	}
	proved := s.limiter.Proved(remote, secret)
	if !proved {
		if err := s.limiter.Begin(remote); err != nil {
			return err
		}
	}
	err := attempt()
	wrong := fault.Is(err, fault.Unauthenticated)
	if err == nil && !proved || wrong {
		s.limiter.Prove(remote, secret, !wrong)
	}
	if !wrong && !proved {
		s.limiter.Passed(remote)
	}
	return err
}

// Authenticate gives who a bearer token belongs to: a token of a user or machine, or that of a step of a run. Steps show
// theirs at their door, and nobody else shows anything there (see AtDoor). Anything else is fault.Unauthenticated. A token that was revoked, or whose principal was deleted, fails with the next call.
// One that could be guessed, from an address (see From) that has failed too often, is fault.Exhausted.
func (s *Service) Authenticate(ctx context.Context, bearer string) (p actor.Principal, err error) {
	err = s.slowed(ctx, bearer, func() error {
		p, err = s.authenticate(ctx, bearer)
		return err
	})
	return p, err
}

func (s *Service) authenticate(ctx context.Context, bearer string) (actor.Principal, error) {
	switch {
	case bearer == "" || len(bearer) > maxSecret:
		return actor.Principal{}, errToken()
	case wellFormed(bearer, workloadPrefix) != (ctx.Value(doorKey{}) != nil):
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "a step's own token, and no other, is taken at the address that the step is given as ROADBED_URL")
	case wellFormed(bearer, workloadPrefix):
		return s.authenticateWorkload(ctx, bearer)
	}
	got, err := s.bearers.Of(ctx, s.db, sha256.Sum256([]byte(bearer)), func() (presented, error) { return s.present(ctx, bearer) })
	if err != nil {
		return actor.Principal{}, err
	}
	now := s.now()
	if expires := got.token.Expires; !expires.IsZero() && !now.Before(expires) {
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the token %q expired on %s; make a new one", got.token.Name, expires.UTC().Format(time.RFC3339))
	}
	p, err := s.principal(ctx, got.who) // whose groups are not of the moment: access has them in memory
	if err != nil {
		return actor.Principal{}, err
	}
	p.Token, p.Scopes = got.token.ID, slices.Clone(got.token.Scopes)
	s.touch(got.token.ID, now)
	return p, nil
}

// presented is a token that is good but for its time, and whose it is.
type presented struct {
	token Token
	who   Principal
}

// present finds a token and whose it is.
func (s *Service) present(ctx context.Context, bearer string) (presented, error) {
	lookups := []string{environment}
	if wellFormed(bearer, tokenPrefix) {
		lookups = append(lookups, bearer[len(tokenPrefix):len(tokenPrefix)+lookupLength])
	}
	var token Token
	var who Principal
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		for _, lookup := range lookups {
			candidate, stored, err := tokenByLookup(ctx, tx, lookup)
			if fault.Is(err, fault.NotFound) || err == nil && !sameHash(stored, hash(bearer)) {
				continue
			}
			if err != nil {
				return err
			}
			token = candidate
			who, err = livePrincipal(ctx, tx, token.Principal)
			return err
		}
		return errToken()
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return presented{}, errToken()
	case err != nil:
		return presented{}, fault.Wrap(err, "authenticate")
	case !token.Revoked.IsZero():
		return presented{}, fault.Errorf(fault.Unauthenticated, "the token %q was revoked; use another one", token.Name)
	}
	return presented{token, who}, nil
}

func errToken() error {
	return fault.Errorf(fault.Unauthenticated, "the token is not valid; make one with `roadbed token create`, or in the portal")
}

// Alive tells whether what a principal presented a while ago would be taken still, for what goes on for long. It does
// not count as a use. Unauthenticated when it was revoked, has expired, has ended, or is a session that was not used for twelve hours.
func (s *Service) Alive(ctx context.Context, p actor.Principal) error {
	if p.Token == "" {
		return nil // nothing was presented: the platform itself, or nobody
	}
	alive, now := 0, s.now()
	idle := now.Add(-sessionIdle)
	if s.lastUse(p.Token).After(idle) {
		idle = time.Time{} // though that may not be written yet
	}
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		alive, err = aliveBy(ctx, tx, p, now, idle)
		return err
	})
	if err != nil {
		return fault.Wrap(err, "look whether the token is still good")
	}
	if alive == 0 {
		return fault.Errorf(fault.Unauthenticated, "the token or session has ended; sign in again")
	}
	return nil
}

// principal gives who acts, with the groups as they are now.
func (s *Service) principal(ctx context.Context, who Principal) (actor.Principal, error) {
	groups, err := s.access.Groups(ctx, who.Ref)
	return actor.Principal{ID: who.ID, Kind: who.Kind, Ref: who.Ref, Name: who.Name, Groups: groups}, err
}

const maxWorkloadLife = 7 * 24 * time.Hour

// Workload makes a token for a step of a run, in the transaction that starts the step. The step may do what the scopes
// list, in its space, until ttl has passed or EndWorkload. No scopes mean no rights.
func (s *Service) Workload(ctx context.Context, tx *store.Tx, run, step, space string, scopes []string, ttl time.Duration) (string, error) {
	if run == "" || step == "" || space == "" || ttl <= 0 || ttl > maxWorkloadLife {
		return "", fault.Errorf(fault.Invalid, "a workload's token needs a run, a step, a space and a life of at most %s", maxWorkloadLife)
	}
	if err := access.CheckScopes(scopes); err != nil {
		return "", err
	}
	token := newSecret(workloadPrefix)
	err := insertWorkload(ctx, tx, workload{Run: run, Step: step, Space: space, Scopes: scopes, Expires: s.now().Add(ttl)}, hash(token))
	return token, fault.Wrap(err, "make the token of step %s", step)
}

// EndWorkload ends every token of a step, in the transaction that ends the step.
func (s *Service) EndWorkload(ctx context.Context, tx *store.Tx, step string) error {
	return fault.Wrap(deleteWorkloads(ctx, tx, step), "end the tokens of step %s", step)
}

// workload is what a step's token stands for.
type workload struct {
	Run, Step, Space string
	Scopes           []string
	Expires          time.Time
}

func (s *Service) authenticateWorkload(ctx context.Context, bearer string) (actor.Principal, error) {
	var w workload
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		w, err = workloadByHash(ctx, tx, hash(bearer))
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && !s.now().Before(w.Expires) {
		return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the token of this step has ended with it")
	}
	if err != nil {
		return actor.Principal{}, fault.Wrap(err, "authenticate a step")
	}
	return actor.Principal{
		ID: w.Step, Kind: actor.Workload, Ref: ref.Entity{}, Name: "a step of " + w.Run,
		Scopes: w.Scopes, Token: w.Step, Run: w.Run, Space: w.Space,
	}, nil
}

// Bearer gives the token of an Authorization header, or "". Basic is taken too, with the token as password and any
// user name, since that is what git sends.
func Bearer(header string, basic func() (user, password string, ok bool)) string {
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	if _, password, ok := basic(); ok {
		return password
	}
	return ""
}
