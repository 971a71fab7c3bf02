package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// grantLife is how long a code may be exchanged: its program waits for it.
const grantLife = 2 * time.Minute

const grantPrefix = "rbg_"

// Grant is what a person lets a program have: a token, for the code that the program proves to have asked for (RFC 7636).
type Grant struct {
	Challenge string // SHA-256 of the program's secret, in base64url
	Redirect  string // where the code goes
	Name      string // of the token that comes of it
}

var (
	challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierPattern  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// AllowProgram gives the code that a program exchanges once, within two minutes, for a token of the caller. It needs a
// person, and a session or token that isn't narrowed; the token comes to its end with that at the latest.
func (s *Service) AllowProgram(ctx context.Context, g Grant) (string, error) {
	caller := actor.From(ctx)
	switch {
	case caller.Kind != actor.User:
		return "", fault.Errorf(fault.Denied, "only a person lets a program in; make a token for a machine")
	case caller.Scopes != nil:
		return "", fault.Errorf(fault.Denied, "the token you use is narrowed by scopes, and the program's would not be; use one without scopes")
	case !challengePattern.MatchString(g.Challenge):
		return "", fault.Errorf(fault.Invalid, "code_challenge is the SHA-256 of the program's secret in base64url, by the method S256")
	}
	if err := (NewToken{Name: g.Name}).check(s.now()); err != nil {
		return "", err
	}
	code := newSecret(grantPrefix)
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO identity_grants (hash, principal, presented, challenge, redirect, name, expires) VALUES ($1,$2,$3,$4,$5,$6,$7)",
			hash(code), caller.ID, caller.Token, g.Challenge, g.Redirect, g.Name, store.Micros(s.now().Add(grantLife)))
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, ledger.Entry{Type: "program.allowed", Subject: caller.ID}, nil)
	})
	return code, fault.Wrap(err, "let a program in")
}

// ExchangeGrant gives the token for a code, once: to the program that knows the secret of the challenge, and names where
// the code went. Anything else is fault.Unauthenticated, and uses the code up.
func (s *Service) ExchangeGrant(ctx context.Context, code, verifier, redirect string) (Token, string, error) {
	wrong := fault.Errorf(fault.Unauthenticated, "this code was used already, is older than two minutes, or is another program's; sign in again")
	if !wellFormed(code, grantPrefix) || !verifierPattern.MatchString(verifier) {
		return Token{}, "", wrong
	}
	now := s.now()
	var g Grant
	var principal, presented string
	err := s.db.Write(ctx, func(tx *store.Tx) error { // by itself: a wrong verifier uses it up too
		return tx.QueryRow(ctx, "DELETE FROM identity_grants WHERE hash = $1 AND expires > $2 RETURNING principal, presented, challenge, redirect, name", hash(code), store.Micros(now)).
			Scan(&principal, &presented, &g.Challenge, &g.Redirect, &g.Name)
	})
	if fault.Is(err, fault.NotFound) {
		return Token{}, "", wrong
	}
	if err != nil {
		return Token{}, "", fault.Wrap(err, "exchange a code")
	}
	sum := sha256.Sum256([]byte(verifier))
	if !sameHash([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(g.Challenge)) || g.Redirect != redirect {
		return Token{}, "", wrong
	}
	p, err := s.Principal(ctx, principal)
	if err != nil {
		return Token{}, "", wrong
	}
	p.Token = presented
	if err := s.Alive(ctx, p); err != nil {
		return Token{}, "", wrong
	}
	ctx = actor.With(ctx, p)
	secret := newSecret(tokenPrefix)
	token := Token{ID: ref.NewID(ref.Token, now), Ref: p.Ref, Name: g.Name, Created: now, CreatedBy: p.ID, Prefix: secret[:len(tokenPrefix)+lookupLength]}
	err = s.db.Write(ctx, func(tx *store.Tx) error { return s.createToken(ctx, tx, &token, time.Time{}, hash(secret)) })
	if err != nil {
		return Token{}, "", fault.Wrap(err, "make the program's token")
	}
	return token, secret, nil
}
