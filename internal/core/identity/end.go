package identity

import (
	"context"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What ends because something else does, with the entry of the ledger that tells of it.

// endPrincipal ends a principal with every proof of it. It keeps the row, so that history can still be read; of a person nothing but
// the id.
func (s *Service) endPrincipal(ctx context.Context, tx *store.Tx, p Principal, why string) error {
	now := s.now()
	if p.Kind == actor.User {
		p.Ref, p.Name, p.Description = ref.New("user", "deleted", p.ID), "", ""
	}
	_, err := tx.Exec(ctx, `UPDATE identity_principals SET deleted = $2, ref = $3, name = $4, email = '', description = $5 WHERE id = $1`,
		p.ID, store.Micros(now), p.Ref.String(), p.Name, p.Description)
	if err != nil {
		return err
	}
	if err := setAccounts(ctx, tx, p.ID, nil); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `UPDATE identity_tokens SET revoked = $2 WHERE principal = $1 AND revoked = 0 RETURNING id`, p.ID, store.Micros(now))
	tokens, err := store.Collect(rows, err, func(row store.Row) (id string, err error) { return id, row.Scan(&id) })
	if err != nil {
		return err
	}
	e, err := deleteSessions(ctx, tx, p.ID, now)
	if err != nil {
		return err
	}
	for _, id := range tokens { // what they opened for others
		more, err := deleteVia(ctx, tx, id, now)
		if err != nil {
			return err
		}
		e.Sessions, e.More, e.Tokens = append(e.Sessions, more.Sessions...), e.More+more.More, append(e.Tokens, more.Tokens...)
	}
	e.Tokens = append(tokens, e.Tokens...)
	if len(e.Sessions)+len(e.Tokens) == 0 {
		return nil
	}
	slices.Sort(e.Tokens)
	return fault.Wrap(s.tellEnded(ctx, tx, ledger.Entry{Space: access.Root, Subject: p.ID}, e, why), "note what ended with %s", p.ID)
}

// endVia ends the links and sessions that were made with a token that has ended, and tells of it.
func (s *Service) endVia(ctx context.Context, tx *store.Tx, token, why string) error {
	e, err := deleteVia(ctx, tx, token, s.now())
	if err != nil || len(e.Sessions) == 0 {
		return err
	}
	return fault.Wrap(s.tellEnded(ctx, tx, ledger.Entry{Space: access.Root, Subject: token}, e, why), "note what ended with a token")
}

// deleteVia ends the links and sessions that were made with a token: links first, so that one that is being used up at this moment
// has become a session by then.
func deleteVia(ctx context.Context, tx *store.Tx, token string, now time.Time) (ended, error) {
	if _, err := tx.Exec(ctx, `DELETE FROM identity_links WHERE via = $1 AND via <> ''`, token); err != nil {
		return ended{}, err
	}
	return endSessions(ctx, tx, now, `via = $1 AND via <> ''`, token)
}
