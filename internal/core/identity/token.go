package identity

import (
	"context"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	tokenLife    = 90 * 24 * time.Hour  // of a token that names no end
	tokenMaxLife = 366 * 24 * time.Hour // of any token
	maxTokens    = 500                  // that one principal can have in use
	environment  = "environment"        // the lookup of the one token that the server was started with
)

// Token is what may be known of a token.
type Token struct {
	ID        string // tok_…
	Principal string // pri_…
	Ref       ref.Entity
	Name      string
	Prefix    string   // the first characters, to recognise it by
	Scopes    []string // nil: not narrowed
	Created   time.Time
	CreatedBy string // pri_…
	Expires   time.Time
	Used      time.Time // within a minute; zero when never
	Revoked   time.Time // zero while it is valid

	lender string // the session by whose rights it was made, that it does not outlive; "" for none
}

// NewToken asks for a token.
type NewToken struct {
	Principal ref.Entity // zero: for whoever asks
	Name      string
	Scopes    []string  // nil: everything that its principal may do
	Expires   time.Time // zero: in 90 days
}

// CreateToken makes a token and gives its secret, which can't be seen again. For oneself it needs no right, but the new
// token reaches no further and lasts no longer than the one it is asked with. For others it needs space:admin in the
// root space; for a machine, space:admin in its space suffices. Errors: Invalid, Denied, NotFound (the principal),
// Exhausted (500 tokens in use).
func (s *Service) CreateToken(ctx context.Context, n NewToken) (Token, string, error) {
	now := s.now()
	if err := n.check(now); err != nil {
		return Token{}, "", err
	}
	who, err := s.tokensOf(ctx, n.Principal)
	if err != nil {
		return Token{}, "", err
	}
	caller := actor.From(ctx)
	if caller.Kind == actor.Workload {
		return Token{}, "", fault.Errorf(fault.Denied, "a step of a run can't make tokens; they would outlive it")
	}
	if beyond := access.ScopesWithin(n.Scopes, caller.Scopes); len(beyond) > 0 {
		return Token{}, "", fault.Errorf(fault.Denied, "the token you use is narrowed to %s, and can't make one with %s",
			strings.Join(caller.Scopes, ", "), strings.Join(beyond, ", "))
	}
	secret := newSecret(tokenPrefix)
	token := Token{
		ID: ref.NewID(ref.Token, now), Ref: who, Name: n.Name, Scopes: n.Scopes, Created: now, CreatedBy: caller.ID,
		Prefix: secret[:len(tokenPrefix)+lookupLength],
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		return s.createToken(ctx, tx, &token, n.Expires, hash(secret))
	})
	if err != nil {
		return Token{}, "", fault.Wrap(err, "create token")
	}
	return token, secret, nil
}

func (n NewToken) check(now time.Time) error {
	if n.Name == "" || len(n.Name) > 100 || strings.ContainsAny(n.Name, "\n\r\t\x00") {
		return fault.Errorf(fault.Invalid, "a token needs a name of at most 100 characters on one line, to recognise it by")
	}
	if !n.Expires.IsZero() && (!n.Expires.After(now) || n.Expires.After(now.Add(tokenMaxLife))) {
		return fault.Errorf(fault.Invalid, "a token ends between now and in 366 days, not on %s", n.Expires.UTC().Format(time.RFC3339))
	}
	return access.CheckScopes(n.Scopes)
}

func (s *Service) createToken(ctx context.Context, tx *store.Tx, t *Token, expires time.Time, hash []byte) error {
	p, err := s.Find(ctx, tx, t.Ref)
	if err != nil {
		return err
	}
	t.Principal = p.ID
	active, err := countTokens(ctx, tx, p.ID, t.Created)
	if err != nil {
		return err
	}
	if active >= maxTokens {
		return fault.Errorf(fault.Exhausted, "%s has %d tokens in use; revoke some that are not needed", t.Ref, active)
	}
	if t.lender, err = lenderOf(ctx, tx, actor.From(ctx).Token); err != nil {
		return err
	}
	if t.Expires, err = s.end(ctx, tx, t.Created, expires); err != nil {
		return err
	}
	if err := insertToken(ctx, tx, *t, strings.TrimPrefix(t.Prefix, tokenPrefix), hash); err != nil {
		return err
	}
	return s.tell(ctx, tx, ledger.Entry{Type: "token.created", Space: p.Space, Subject: t.ID, Refs: []string{p.ID}}, struct {
		Principal string    `json:"principal"`
		Narrowed  bool      `json:"narrowed"`
		Scopes    int       `json:"scopes"`
		Expires   time.Time `json:"expires"`
	}{p.ID, t.Scopes != nil, len(t.Scopes), t.Expires})
}

// end gives when a new token ends: as asked, else in 90 days, and never after what it is made with.
func (s *Service) end(ctx context.Context, tx *store.Tx, now, asked time.Time) (time.Time, error) {
	end := asked
	if end.IsZero() {
		end = now.Add(tokenLife)
	}
	what, latest, err := s.latest(ctx, tx)
	if err != nil || latest.IsZero() || !end.After(latest) {
		return end, err
	}
	if !asked.IsZero() {
		return end, fault.Errorf(fault.Denied, "the %s you use ends on %s, and can't make one that lasts longer", what, latest.UTC().Format(time.RFC3339))
	}
	return latest, nil
}

// latest gives the end of what the caller presented, if that bounds what is made with it, and what it is: a token does, and
// a session that was opened with one, or that is special.
func (s *Service) latest(ctx context.Context, tx *store.Tx) (what string, latest time.Time, err error) {
	with := actor.From(ctx).Token
	if ref.IsID(with, ref.Session) {
		session, err := sessionByID(ctx, tx, with)
		if err != nil {
			return "", latest, err
		}
		if session.special() {
			return "session", session.Expires, nil // which is not after the end of a token that opened it
		}
		with = session.Via // what a token has opened makes no more than that token could
	}
	if !ref.IsID(with, ref.Token) {
		return "", latest, nil
	}
	own, err := tokenByID(ctx, tx, with)
	return "token", own.Expires, err
}

// tokensOf says whose tokens are meant, and asks for the right to them when they are somebody else's.
func (s *Service) tokensOf(ctx context.Context, who ref.Entity) (ref.Entity, error) {
	self := actor.From(ctx)
	if who.IsZero() || who == self.Ref {
		p, err := signedIn(ctx)
		return p.Ref, err
	}
	if who.Kind == "machine" && s.access.Authorize(ctx, "space:admin", who.Namespace) == nil {
		return who, nil
	}
	return who, s.administer(ctx)
}

// ListTokens gives the tokens of a principal (zero: of whoever asks), the newest first, revoked and expired ones
// included. The rights are those of CreateToken.
func (s *Service) ListTokens(ctx context.Context, who ref.Entity, part page.Request) (tokens page.Of[Token], err error) {
	who, err = s.tokensOf(ctx, who)
	if err != nil {
		return tokens, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		p, err := s.Find(ctx, tx, who)
		if err != nil {
			return err
		}
		all, err := tokensOfPrincipal(ctx, tx, p.ID, part)
		tokens = page.Cut(all, part, func(t Token) string { return t.ID })
		return err
	})
	for i, t := range tokens.Items {
		if used := s.lastUse(t.ID); used.After(t.Used) {
			tokens.Items[i].Used = used
		}
	}
	return tokens, fault.Wrap(err, "list tokens")
}

// RevokeToken ends a token at once. The rights are those of CreateToken; whoever lacks them gets NotFound. Revoking
// again changes nothing.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	var token Token
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		token, err = tokenByID(ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	if me := actor.From(ctx); me.Scopes != nil && me.Token != token.ID && !ref.IsID(me.Token, ref.Session) {
		return fault.Errorf(fault.Denied, "a token with scopes can end only itself; sign in, or use a token without scopes")
	}
	if _, err := s.tokensOf(ctx, token.Ref); err != nil {
		if fault.Is(err, fault.Denied) {
			return access.NotFound("token " + id)
		}
		return err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		changed, err := revokeToken(ctx, tx, id, s.now())
		if err != nil || !changed {
			return err
		}
		if err := s.tell(ctx, tx, ledger.Entry{Type: "token.revoked", Subject: id, Refs: []string{token.Principal}}, nil); err != nil {
			return err
		}
		return s.endVia(ctx, tx, id, "the token was revoked")
	})
	return fault.Wrap(err, "revoke token")
}

// What the administrator's token must have, since whoever shares the address of somebody who uses it may try as often
// as they like (see Limiter).
const (
	minAdmin     = 20 // characters
	minDifferent = 8
)

func different(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

// SetAdmin makes the token that the server was started with (ROADBED_ADMIN_TOKEN) a token of user:default/admin; the
// environment is the truth, so an earlier one ends, and "" ends it without a new one. It lasts until it is changed or
// revoked. Only the server calls it, at start. A token that is short or says little is a fault.Invalid.
func (s *Service) SetAdmin(ctx context.Context, token string) error {
	ctx = actor.AsSystem(ctx)
	if token != "" && (len(token) < minAdmin || len(token) > maxSecret || strings.TrimSpace(token) != token || different(token) < minDifferent) {
		return fault.Errorf(fault.Invalid, "ROADBED_ADMIN_TOKEN can be guessed, or is not one: it needs %d to %d characters, %d of them different, and no space around them; `openssl rand -hex 24` makes a good one",
			minAdmin, maxSecret, minDifferent)
	}
	set := func() error {
		return s.db.Write(ctx, func(tx *store.Tx) error { return s.setAdmin(ctx, tx, token) })
	}
	err := set()
	if fault.Is(err, fault.Conflict) { // another server did it at this moment
		err = set()
	}
	return fault.Wrap(err, "set the administrator's token")
}

func (s *Service) setAdmin(ctx context.Context, tx *store.Tx, token string) error {
	old, oldHash, err := tokenByLookup(ctx, tx, environment)
	exists := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if token == "" {
		if exists && old.Revoked.IsZero() {
			if _, err := revokeToken(ctx, tx, old.ID, s.now()); err != nil {
				return err
			}
			if err := s.tell(ctx, tx, ledger.Entry{Type: "token.revoked", Subject: old.ID, Refs: []string{old.Principal}}, nil); err != nil {
				return err
			}
			return s.endVia(ctx, tx, old.ID, "ROADBED_ADMIN_TOKEN is set no more")
		}
		return nil
	}
	who, err := s.Find(ctx, tx, access.FirstAdmin())
	if fault.Is(err, fault.NotFound) {
		who, err = s.ensure(ctx, tx, Principal{Kind: actor.User, Ref: access.FirstAdmin(), Name: "Administrator", Space: access.Root})
	}
	if err != nil {
		return err
	}
	if exists && sameHash(oldHash, hash(token)) && old.Principal == who.ID {
		if !old.Revoked.IsZero() {
			s.log.WarnContext(ctx, "ROADBED_ADMIN_TOKEN was revoked and stays so; set another one")
		}
		return nil
	}
	if exists {
		if err := deleteToken(ctx, tx, old.ID); err != nil {
			return err
		}
		if old.Revoked.IsZero() {
			if err := s.tell(ctx, tx, ledger.Entry{Type: "token.revoked", Subject: old.ID, Refs: []string{old.Principal}}, nil); err != nil {
				return err
			}
		}
		if err := s.endVia(ctx, tx, old.ID, "ROADBED_ADMIN_TOKEN is another one"); err != nil {
			return err
		}
	}
	now := s.now()
	next := Token{ID: ref.NewID(ref.Token, now), Principal: who.ID, Ref: who.Ref, Name: "ROADBED_ADMIN_TOKEN", Created: now, CreatedBy: "system"}
	if err := insertToken(ctx, tx, next, environment, hash(token)); err != nil {
		return err
	}
	return s.tell(ctx, tx, ledger.Entry{Type: "token.created", Subject: next.ID, Refs: []string{who.ID}}, nil)
}
