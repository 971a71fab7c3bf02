package identity

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const (
	linkLife    = 10 * time.Minute
	sessionIdle = 12 * time.Hour
	sessionLife = 7 * 24 * time.Hour
)

// session is one browser that signed in.
type session struct {
	ID        string // ses_…
	Principal string
	Used      time.Time
	Expires   time.Time // the latest end
	Via       string    // the token with which its link was made, that it does not outlive; "" for none
	Lender    string    // the session by whose rights its link was made, that it does not outlive; "" for none

	Lent     []actor.Lent // by the login policies
	Held     bool         // by them, to access.HeldTo
	Decision string       // of theirs; "" when none was asked
}

// link lets a user sign in once.
type link struct {
	Principal string
	CreatedBy string
	Expires   time.Time
	Via       string    // as of the session
	Lender    string    // as of the session
	Ends      time.Time // what the session does not outlive
}

// SignInLink gives a code that signs a user in once, within ten minutes. For oneself it needs a token or session that
// isn't narrowed, and the session ends with that at the latest; for others space:admin in the root space. The code belongs into a link, never into a log.
func (s *Service) SignInLink(ctx context.Context, user ref.Entity) (string, error) {
	caller := actor.From(ctx)
	if user.IsZero() {
		user = caller.Ref
	}
	if user.IsZero() {
		return "", fault.Errorf(fault.Invalid, "name the user to sign in")
	}
	if user != caller.Ref || caller.Kind != actor.User {
		if err := s.administer(ctx); err != nil {
			return "", err
		}
	}
	if caller.Scopes != nil {
		return "", fault.Errorf(fault.Denied, "the token you use is narrowed by scopes, and a session would not be; use one without scopes")
	}
	code, now := newSecret(linkPrefix), s.now()
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		p, err := s.Find(ctx, tx, user)
		if err != nil {
			return err
		}
		if p.Kind != actor.User {
			return fault.Errorf(fault.Invalid, "%s can't sign in; make a token for it", user)
		}
		made := link{Principal: p.ID, CreatedBy: caller.ID, Expires: now.Add(linkLife), Ends: now.Add(linkLife + sessionLife)}
		if made.Lender, err = lenderOf(ctx, tx, caller.Token); err != nil {
			return err
		}
		if p.ID == caller.ID || made.Lender != "" { // what is lent opens nothing that lasts longer
			if err := made.bound(ctx, tx, caller.Token); err != nil {
				return err
			}
		}
		if err := insertLink(ctx, tx, made, hash(code)); err != nil {
			return err
		}
		return s.tell(ctx, tx, ledger.Entry{Type: "signin.link-created", Subject: p.ID}, nil)
	})
	if err != nil {
		return "", fault.Wrap(err, "make a sign-in link for %s", user)
	}
	return code, nil
}

// bound has a link, and its session, end with the token or session that it is made with.
func (l *link) bound(ctx context.Context, tx *store.Tx, with string) error {
	var ends time.Time
	switch {
	case ref.IsID(with, ref.Token):
		own, err := tokenLocked(ctx, tx, with)
		if err != nil {
			return err
		}
		if !own.Revoked.IsZero() { // at this moment
			return fault.Errorf(fault.Unauthenticated, "the token %q was revoked; use another one", own.Name)
		}
		l.Via, ends = own.ID, own.Expires
	case ref.IsID(with, ref.Session):
		own, err := sessionByID(ctx, tx, with)
		if err != nil {
			return err
		}
		l.Via, ends = own.Via, own.Expires
	}
	if !ends.IsZero() && ends.Before(l.Ends) {
		l.Ends = ends
	}
	return nil
}

// SignIn exchanges a code for a session: the value of its cookie, the token that unsafe requests must carry, and who
// it is. A code works once, even when two exchange it at the same moment; any other is fault.Unauthenticated.
func (s *Service) SignIn(ctx context.Context, code string) (cookie, csrf string, p actor.Principal, err error) {
	err = s.slowed(ctx, code, func() error {
		cookie, csrf, p, err = s.signIn(ctx, code)
		return err
	})
	return cookie, csrf, p, err
}

func (s *Service) signIn(ctx context.Context, code string) (cookie, csrf string, p actor.Principal, err error) {
	if !wellFormed(code, linkPrefix) {
		return "", "", p, errLink()
	}
	now := s.now()
	admission, mark, err := s.mayEnter(ctx, code, now)
	if err != nil {
		return "", "", p, err
	}
	cookie = newSecret(sessionPrefix)
	made := session{
		ID: ref.NewID(ref.Session, now), Used: now, Expires: now.Add(sessionLife), Lent: admission.Lent, Held: admission.Held, Decision: admission.Decision,
	}
	var who Principal
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		if s.judge != nil {
			switch n, err := judgedAt(ctx, tx, tx.ForUpdate()); {
			case err != nil:
				return err
			case n != mark:
				return fault.Errorf(fault.Conflict, "a login policy changed at this moment; open the link again")
			}
		}
		used, err := takeLink(ctx, tx, hash(code), now)
		if fault.Is(err, fault.NotFound) {
			return errLink()
		}
		if err != nil {
			return err
		}
		if who, err = livePrincipal(ctx, tx, used.Principal); err != nil {
			return errLink()
		}
		made.Principal, made.Via, made.Lender = used.Principal, used.Via, used.Lender
		if used.Ends.Before(made.Expires) {
			made.Expires = used.Ends
		}
		if err := insertSession(ctx, tx, made, hash(cookie)); err != nil {
			return err
		}
		return s.tell(ctx, tx, ledger.Entry{Type: "session.created", Actor: made.Principal, Subject: made.ID, Refs: []string{made.Principal}}, admitted(admission))
	})
	if err != nil {
		return "", "", p, fault.Wrap(err, "sign in")
	}
	if p, err = s.principal(ctx, who); err == nil {
		p, err = s.actsIn(ctx, p, made)
	}
	return cookie, csrfOf(cookie), p, err
}

func errLink() error {
	return fault.Errorf(fault.Unauthenticated, "this sign-in link was used already or is older than ten minutes; ask for a new one")
}

// AuthenticateSession gives who a session's cookie belongs to, and the CSRF token that its unsafe requests must carry.
// A session ends twelve hours after its last use, seven days after its start, and with the token with which its link was
// made; then it is fault.Unauthenticated.
func (s *Service) AuthenticateSession(ctx context.Context, cookie string) (p actor.Principal, csrf string, err error) {
	if !wellFormed(cookie, sessionPrefix) {
		return p, "", errSession()
	}
	now := s.now()
	var found session
	var who Principal
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if found, err = sessionByHash(ctx, tx, hash(cookie)); err != nil {
			return err
		}
		who, err = livePrincipal(ctx, tx, found.Principal)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return p, "", errSession()
	}
	if err != nil {
		return p, "", fault.Wrap(err, "read the session")
	}
	used := found.Used
	if later := s.lastUse(found.ID); later.After(used) {
		used = later
	}
	if !now.Before(found.Expires) || !now.Before(used.Add(sessionIdle)) {
		return p, "", errSession()
	}
	p, err = s.principal(ctx, who)
	if err != nil {
		return p, "", err
	}
	if p, err = s.actsIn(ctx, p, found); err != nil {
		return p, "", err
	}
	s.touch(found.ID, now)
	return p, csrfOf(cookie), nil
}

func errSession() error {
	return fault.Errorf(fault.Unauthenticated, "the session has ended; sign in again")
}

// SignOut ends the session of the caller, and what was made by what login policies lent it.
func (s *Service) SignOut(ctx context.Context) error {
	p := actor.From(ctx)
	if !ref.IsID(p.Token, ref.Session) {
		return fault.Errorf(fault.Invalid, "there is no session to end; a token is revoked instead")
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error {
		e, err := endSessions(ctx, tx, s.now(), `id = $1`, p.Token)
		if err != nil || len(e.Sessions) == 0 {
			return err
		}
		return s.tellEnded(ctx, tx, ledger.Entry{Subject: p.Token}, e, "")
	})
	return fault.Wrap(err, "sign out")
}

// SignOutEverywhere ends all sessions and sign-in links of a user (zero: of the caller), as SignOut does. For others it needs
// space:admin in the root space; a token with scopes can't do it.
func (s *Service) SignOutEverywhere(ctx context.Context, user ref.Entity) error {
	if me := actor.From(ctx); me.Scopes != nil && !ref.IsID(me.Token, ref.Session) {
		return fault.Errorf(fault.Denied, "a token with scopes can't end sessions; sign in, or use a token without scopes")
	}
	who, err := s.tokensOf(ctx, user)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		p, err := s.Find(ctx, tx, who)
		if err != nil {
			return err
		}
		e, err := deleteSessions(ctx, tx, p.ID, s.now())
		if err != nil {
			return err
		}
		return s.tellEnded(ctx, tx, ledger.Entry{Space: access.Root, Subject: p.ID}, e, "")
	})
	return fault.Wrap(err, "sign out %s", who)
}
