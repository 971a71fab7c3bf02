package identity

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the room's tables.
func Migrations() store.Migrations {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return store.Migrations{Room: "identity", FS: sub}
}

const selectPrincipal = `SELECT id, kind, ref, name, email, description, space, created, deleted FROM identity_principals`

func scanPrincipal(row store.Row) (p Principal, err error) {
	var kind, reference string
	var created, deleted int64
	if err := row.Scan(&p.ID, &kind, &reference, &p.Name, &p.Email, &p.Description, &p.Space, &created, &deleted); err != nil {
		return p, err
	}
	p.Kind, p.Created, p.Deleted = actor.Kind(kind), store.FromMicros(created), store.FromMicros(deleted)
	p.Ref, err = ref.Parse(reference, "", "")
	return p, err
}

func livePrincipal(ctx context.Context, tx *store.Tx, id string) (Principal, error) {
	return store.One(tx.QueryRow(ctx, selectPrincipal+` WHERE id = $1 AND deleted = 0`, id), scanPrincipal, "principal %s", id)
}

// AtOnce is how many principals are looked up by one query.
const AtOnce = 500

// principalsByID gives those that there are, deleted ones included, AtOnce to a query.
func principalsByID(ctx context.Context, tx *store.Tx, ids []string) ([]Principal, error) {
	var all []Principal
	for len(ids) > 0 {
		n := min(len(ids), AtOnce)
		places, args := make([]string, n), make([]any, n)
		for i, id := range ids[:n] {
			places[i], args[i] = fmt.Sprintf("$%d", i+1), id
		}
		ids = ids[n:]
		rows, err := tx.Query(ctx, selectPrincipal+` WHERE id IN (`+strings.Join(places, ", ")+`)`, args...)
		some, err := store.Collect(rows, err, scanPrincipal)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func insertPrincipal(ctx context.Context, tx *store.Tx, p Principal) error {
	_, err := tx.Exec(ctx, `INSERT INTO identity_principals (id, kind, ref, name, email, description, space, created, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
		p.ID, string(p.Kind), p.Ref.String(), p.Name, p.Email, p.Description, p.Space, store.Micros(p.Created))
	return err
}

func updatePrincipal(ctx context.Context, tx *store.Tx, p Principal) error {
	_, err := tx.Exec(ctx, `UPDATE identity_principals SET name = $2, email = $3, description = $4, space = $5 WHERE id = $1`,
		p.ID, p.Name, p.Email, p.Description, p.Space)
	return err
}

// setAccounts writes the accounts of a person, by host.
func setAccounts(ctx context.Context, tx *store.Tx, principal string, accounts map[string]string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM identity_accounts WHERE principal = $1`, principal); err != nil {
		return err
	}
	for host, login := range accounts {
		if _, err := tx.Exec(ctx, `INSERT INTO identity_accounts (principal, host, login) VALUES ($1, $2, $3)`, principal, host, login); err != nil {
			return err
		}
	}
	return nil
}

// accountOf gives whose documents name an account, two at most.
func accountOf(ctx context.Context, tx *store.Tx, host, login string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT principal FROM identity_accounts WHERE host = $1 AND login = $2 LIMIT 2`, host, login)
	return store.Collect(rows, err, func(row store.Row) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	})
}

// aliveBy counts what a principal presented, as far as it is good still: of a session, if it was used after idle.
func aliveBy(ctx context.Context, tx *store.Tx, p actor.Principal, now, idle time.Time) (n int, err error) {
	query := `SELECT COUNT(*) FROM identity_tokens t JOIN identity_principals p ON p.id = t.principal
 WHERE t.id = $1 AND t.revoked = 0 AND (t.expires = 0 OR t.expires > $2) AND p.deleted = 0`
	args := []any{p.Token, store.Micros(now)}
	switch {
	case p.Kind == actor.Workload:
		query = `SELECT COUNT(*) FROM identity_workloads WHERE step = $1 AND expires > $2`
	case ref.IsID(p.Token, ref.Session):
		query = `SELECT COUNT(*) FROM identity_sessions s JOIN identity_principals p ON p.id = s.principal
 WHERE s.id = $1 AND s.expires > $2 AND s.used > $3 AND p.deleted = 0`
		args = append(args, store.Micros(idle))
	}
	return n, tx.QueryRow(ctx, query, args...).Scan(&n)
}

const selectToken = `SELECT t.id, t.principal, p.ref, t.name, t.lookup, t.scopes, t.created, t.created_by, t.expires, t.used, t.revoked, t.lender, t.hash
	FROM identity_tokens t JOIN identity_principals p ON p.id = t.principal`

func scanTokenAndHash(row store.Row) (t Token, hash []byte, err error) {
	var reference, lookup, scopes string
	var created, expires, used, revoked int64
	if err := row.Scan(&t.ID, &t.Principal, &reference, &t.Name, &lookup, &scopes, &created, &t.CreatedBy, &expires, &used, &revoked, &t.lender, &hash); err != nil {
		return t, nil, err
	}
	t.Created, t.Expires, t.Used, t.Revoked = store.FromMicros(created), store.FromMicros(expires), store.FromMicros(used), store.FromMicros(revoked)
	if lookup != environment {
		t.Prefix = tokenPrefix + lookup
	}
	if t.Scopes, err = decodeScopes(scopes); err != nil {
		return t, nil, err
	}
	t.Ref, err = ref.Parse(reference, "", "")
	return t, hash, err
}

func scanToken(row store.Row) (Token, error) {
	t, _, err := scanTokenAndHash(row)
	return t, err
}

func tokenByLookup(ctx context.Context, tx *store.Tx, lookup string) (Token, []byte, error) {
	return scanTokenAndHash(tx.QueryRow(ctx, selectToken+` WHERE t.lookup = $1`, lookup))
}

func tokenByID(ctx context.Context, tx *store.Tx, id string) (Token, error) {
	t, err := scanToken(tx.QueryRow(ctx, selectToken+` WHERE t.id = $1`, id))
	if fault.Is(err, fault.NotFound) {
		return t, access.NotFound("token " + id)
	}
	return t, err
}

// tokenLocked is tokenByID, and keeps others from changing the token until the transaction ends.
func tokenLocked(ctx context.Context, tx *store.Tx, id string) (Token, error) {
	if lock := tx.ForUpdate(); lock != "" {
		var found string
		if err := tx.QueryRow(ctx, `SELECT id FROM identity_tokens WHERE id = $1`+lock, id).Scan(&found); err != nil && !fault.Is(err, fault.NotFound) {
			return Token{}, err
		}
	}
	return tokenByID(ctx, tx, id)
}

func tokensOfPrincipal(ctx context.Context, tx *store.Tx, principal string, part page.Request) ([]Token, error) {
	w := &store.Where{}
	w.Equal("t.principal", principal)
	w.Before("t.id", part.Cursor)
	rows, err := tx.Query(ctx, selectToken+w.String()+` ORDER BY t.id DESC LIMIT `+w.Arg(part.Window()), w.Args...)
	return store.Collect(rows, err, scanToken)
}

func countTokens(ctx context.Context, tx *store.Tx, principal string, now time.Time) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT COUNT(*) FROM identity_tokens WHERE principal = $1 AND revoked = 0 AND (expires = 0 OR expires > $2)`,
		principal, store.Micros(now)).Scan(&n)
	return n, err
}

func insertToken(ctx context.Context, tx *store.Tx, t Token, lookup string, hash []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO identity_tokens (id, principal, name, lookup, hash, scopes, created, created_by, expires, used, revoked, lender)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10)`,
		t.ID, t.Principal, t.Name, lookup, hash, encodeScopes(t.Scopes), store.Micros(t.Created), t.CreatedBy, store.Micros(t.Expires), t.lender)
	return err
}

func revokeToken(ctx context.Context, tx *store.Tx, id string, now time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE identity_tokens SET revoked = $2 WHERE id = $1 AND revoked = 0`, id, store.Micros(now))
	return n > 0, err
}

func deleteToken(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM identity_tokens WHERE id = $1`, id)
	return err
}

func insertLink(ctx context.Context, tx *store.Tx, l link, hash []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO identity_links (hash, principal, created_by, expires, via, lender, ends) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hash, l.Principal, l.CreatedBy, store.Micros(l.Expires), l.Via, l.Lender, store.Micros(l.Ends))
	return err
}

// linked gives whose a link is, without using it up.
func linked(ctx context.Context, tx *store.Tx, hash []byte, now time.Time) (principal string, err error) {
	err = tx.QueryRow(ctx, `SELECT principal FROM identity_links WHERE hash = $1 AND expires > $2`, hash, store.Micros(now)).Scan(&principal)
	return principal, err
}

// takeLink uses a link up: of two transactions that take the same one, one finds nothing.
func takeLink(ctx context.Context, tx *store.Tx, hash []byte, now time.Time) (l link, err error) {
	var ends int64
	err = tx.QueryRow(ctx, `DELETE FROM identity_links WHERE hash = $1 AND expires > $2 RETURNING principal, via, lender, ends`, hash, store.Micros(now)).
		Scan(&l.Principal, &l.Via, &l.Lender, &ends)
	l.Ends = store.FromMicros(ends)
	return l, err
}

func insertSession(ctx context.Context, tx *store.Tx, s session, hash []byte) error {
	lent, err := encodeLent(s.Lent)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO identity_sessions (id, principal, hash, created, used, expires, via, lender, lent, held, decision) VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10)`,
		s.ID, s.Principal, hash, store.Micros(s.Used), store.Micros(s.Expires), s.Via, s.Lender, lent, s.Held, s.Decision)
	return err
}

func sessionByHash(ctx context.Context, tx *store.Tx, hash []byte) (session, error) {
	return scanSession(tx.QueryRow(ctx, selectSession+` WHERE hash = $1`, hash))
}

func sessionByID(ctx context.Context, tx *store.Tx, id string) (session, error) {
	return scanSession(tx.QueryRow(ctx, selectSession+` WHERE id = $1`, id))
}

const selectSession = `SELECT id, principal, used, expires, via, lender, lent, held, decision FROM identity_sessions`

func scanSession(row store.Row) (s session, err error) {
	var used, expires, held int64
	var lent string
	if err := row.Scan(&s.ID, &s.Principal, &used, &expires, &s.Via, &s.Lender, &lent, &held, &s.Decision); err != nil {
		return s, err
	}
	s.Held = held == 1
	s.Used, s.Expires = store.FromMicros(used), store.FromMicros(expires)
	s.Lent, err = decodeLent(lent)
	return s, err
}

// deleteSessions ends the sessions and links of a principal.
func deleteSessions(ctx context.Context, tx *store.Tx, principal string, now time.Time) (ended, error) {
	if _, err := tx.Exec(ctx, `DELETE FROM identity_links WHERE principal = $1`, principal); err != nil {
		return ended{}, err
	}
	return endSessions(ctx, tx, now, `principal = $1`, principal)
}

func insertWorkload(ctx context.Context, tx *store.Tx, w workload, hash []byte) error {
	scopes := w.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	_, err := tx.Exec(ctx, `INSERT INTO identity_workloads (hash, run, step, space, scopes, expires) VALUES ($1, $2, $3, $4, $5, $6)`,
		hash, w.Run, w.Step, w.Space, encodeScopes(scopes), store.Micros(w.Expires))
	return err
}

func workloadByHash(ctx context.Context, tx *store.Tx, hash []byte) (w workload, err error) {
	var scopes string
	var expires int64
	err = tx.QueryRow(ctx, `SELECT run, step, space, scopes, expires FROM identity_workloads WHERE hash = $1`, hash).
		Scan(&w.Run, &w.Step, &w.Space, &scopes, &expires)
	if err != nil {
		return w, err
	}
	w.Expires = store.FromMicros(expires)
	w.Scopes, err = decodeScopes(scopes)
	return w, err
}

func deleteWorkloads(ctx context.Context, tx *store.Tx, step string) error {
	_, err := tx.Exec(ctx, `DELETE FROM identity_workloads WHERE step = $1`, step)
	return err
}

func saveUses(ctx context.Context, tx *store.Tx, uses map[string]time.Time) error {
	for _, id := range slices.Sorted(maps.Keys(uses)) { // in one order, so that two servers don't wait for one another
		table := "identity_tokens"
		if ref.IsID(id, ref.Session) {
			table = "identity_sessions"
		}
		if _, err := tx.Exec(ctx, `UPDATE `+table+` SET used = $2 WHERE id = $1 AND used < $2`, id, store.Micros(uses[id])); err != nil {
			return err
		}
	}
	return nil
}

func deleteExpired(ctx context.Context, tx *store.Tx, now time.Time) error {
	for _, statement := range []string{
		`DELETE FROM identity_links WHERE expires <= $1`,
		`DELETE FROM identity_grants WHERE expires <= $1`,
		`DELETE FROM identity_workloads WHERE expires <= $1`,
		`DELETE FROM identity_sessions WHERE expires <= $1`,
	} {
		if _, err := tx.Exec(ctx, statement, store.Micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// encodeScopes keeps apart what is not narrowed (nil, "") and what may do nothing ("[]").
func encodeScopes(scopes []string) string {
	if scopes == nil {
		return ""
	}
	raw, err := json.Marshal(scopes)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(raw)
}

func decodeScopes(text string) (scopes []string, err error) {
	if text == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &scopes)
	return scopes, err
}
