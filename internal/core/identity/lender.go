package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What is made in a session that login policies lent something may be owed to that, such as an administrator's token or a
// link for somebody mightier. So its links, their sessions, its tokens and programs, and what those make in turn, name it as
// their lender, and end when it is ended. That a session is held gives it nothing, so it lends nothing.

// lends gives the lender of what is made in a session.
func (s session) lends() string {
	if len(s.Lent) > 0 {
		return s.ID
	}
	return s.Lender
}

// lenderOf gives the lender of what is made with a token or session, and keeps it from ending until the transaction does.
// Unauthenticated when it has ended.
func lenderOf(ctx context.Context, tx *store.Tx, with string) (lender string, err error) {
	switch {
	case ref.IsID(with, ref.Token):
		own, err := tokenByID(ctx, tx, with)
		if err != nil {
			return "", err
		}
		lender = own.lender
	case ref.IsID(with, ref.Session):
		own, err := sessionByID(ctx, tx, with)
		if fault.Is(err, fault.NotFound) {
			return "", errSession()
		}
		if err != nil {
			return "", err
		}
		lender = own.lends()
	}
	if lender == "" {
		return "", nil
	}
	err = tx.QueryRow(ctx, `SELECT id FROM identity_sessions WHERE id = $1`+tx.ForUpdate(), lender).Scan(&lender)
	if fault.Is(err, fault.NotFound) { // at this moment
		return "", errSession()
	}
	return lender, err
}

// ended is what ended with some sessions.
type ended struct {
	Sessions []session // those that were meant: id and principal
	More     int       // sessions that they lent to
	Tokens   []string  // ids
}

// endSessions ends the sessions that a condition names, with all that they lent to.
func endSessions(ctx context.Context, tx *store.Tx, now time.Time, where string, args ...any) (e ended, err error) {
	find := func(where string, args ...any) ([]session, error) {
		rows, err := tx.Query(ctx, `SELECT id, principal FROM identity_sessions WHERE `+where+` ORDER BY id`+tx.ForUpdate(), args...)
		return store.Collect(rows, err, func(row store.Row) (s session, err error) { return s, row.Scan(&s.ID, &s.Principal) })
	}
	if e.Sessions, err = find(where, args...); err != nil {
		return e, err
	}
	const atOnce = 500
	seen := make(map[string]bool, len(e.Sessions))
	for _, s := range e.Sessions {
		seen[s.ID] = true
	}
	for next := slices.Clone(e.Sessions); len(next) > 0; {
		n := min(len(next), atOnce)
		ids := make([]any, n)
		places := make([]string, n)
		for i, s := range next[:n] {
			ids[i], places[i] = s.ID, fmt.Sprintf("$%d", i+1)
		}
		next = next[n:]
		in := ` IN (` + strings.Join(places, ", ") + `)`
		if _, err := tx.Exec(ctx, `DELETE FROM identity_sessions WHERE id`+in, ids...); err != nil {
			return e, err
		}
		// Links before sessions: one that is being used up at this moment has become a session by then.
		if _, err := tx.Exec(ctx, `DELETE FROM identity_links WHERE lender <> '' AND lender`+in, ids...); err != nil {
			return e, err
		}
		rows, err := tx.Query(ctx, fmt.Sprintf(`UPDATE identity_tokens SET revoked = $%d WHERE lender <> '' AND revoked = 0 AND lender%s RETURNING id`, n+1, in),
			append(slices.Clip(ids), store.Micros(now))...)
		tokens, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
		if err != nil {
			return e, err
		}
		more, err := find(`lender <> '' AND lender`+in, ids...)
		if err != nil {
			return e, err
		}
		e.Tokens = append(e.Tokens, tokens...)
		for _, s := range more {
			if !seen[s.ID] {
				seen[s.ID] = true
				e.More, next = e.More+1, append(next, s)
			}
		}
	}
	return e, nil
}

// tellEnded notes what ended in one entry, however much it is.
func (s *Service) tellEnded(ctx context.Context, tx *store.Tx, entry ledger.Entry, e ended, why string) error {
	const mostPeople, mostIDs = 150, 50
	entry.Type = "session.ended"
	data := struct {
		Why      string   `json:"why,omitempty"`
		Sessions int      `json:"sessions"`
		Tokens   int      `json:"tokens"`
		IDs      []string `json:"ids,omitempty"` // the first sessions
	}{why, len(e.Sessions) + e.More, len(e.Tokens), nil}
	for _, in := range e.Sessions {
		if in.ID != entry.Subject && len(data.IDs) < mostIDs {
			data.IDs = append(data.IDs, in.ID)
		}
		if in.Principal != entry.Subject && len(entry.Refs) < mostPeople && !slices.Contains(entry.Refs, in.Principal) {
			entry.Refs = append(entry.Refs, in.Principal)
		}
	}
	entry.Refs = append(entry.Refs, e.Tokens[:min(len(e.Tokens), mostIDs)]...)
	return s.tell(ctx, tx, entry, data)
}

// LoginChanged ends the sessions that login policies gave something, or took something from, and what they lent to, in the
// transaction in which such a policy changes, or in which its source loses the trust to give rights.
func (s *Service) LoginChanged(ctx context.Context, tx *store.Tx) error {
	// First: a sign-in that was judged by what held before waits here, or is seen below.
	if _, err := tx.Exec(ctx, `UPDATE identity_judged SET n = n + 1 WHERE id = 1`); err != nil {
		return fault.Wrap(err, "note that a login policy changed")
	}
	e, err := endSessions(ctx, tx, s.now(), `held = 1 OR lent <> ''`)
	if err != nil {
		return fault.Wrap(err, "end the sessions of a login policy")
	}
	if len(e.Sessions) == 0 {
		return nil
	}
	entry := ledger.Entry{Space: access.Root}
	if len(e.Sessions) == 1 {
		entry.Subject = e.Sessions[0].ID
	}
	return fault.Wrap(s.tellEnded(ctx, tx, entry, e, "a login policy changed"), "note the end of sessions")
}
