package oidc

import (
	"context"
	"crypto/rsa"
	"embed"
	"encoding/json"
	"io/fs"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "oidc", FS: files}
}

// TokenTime is how long a token is valid. Spacelift: one hour.
const TokenTime = time.Hour

// leeway is for clocks that differ.
const leeway = 5 * time.Minute

// Service signs tokens and shows the keys by which they are checked. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	access *access.Service
	ledger *ledger.Ledger
	keeper *secret.Keeper
	issuer string
	now    func() time.Time

	mu       sync.Mutex
	opened   *rsa.PrivateKey // the one that was used last
	openedID string
}

// New gives the service. The issuer is the address of the server, without a slash at its end. It needs the tables of Migrations.
func New(db *store.DB, access *access.Service, ledger *ledger.Ledger, keeper *secret.Keeper, issuer string, now func() time.Time) *Service {
	return &Service{db: db, access: access, ledger: ledger, keeper: keeper, issuer: issuer, now: now}
}

// Keys gives the keys that are or were used, the newest first. It needs space:admin in the root space.
func (s *Service) Keys(ctx context.Context, part page.Request) (list page.Of[Key], err error) {
	if err := s.access.Authorize(ctx, "space:admin", access.Root); err != nil {
		return list, err
	}
	before, err := numberOf(part.Cursor)
	if err != nil {
		return list, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+keyColumns+" FROM oidc_keys WHERE number < $1 ORDER BY number DESC LIMIT $2", before, part.Window())
		all, err := store.Collect(rows, err, scanKey)
		list = page.Cut(all, part, func(k Key) string { return cursorOf(k.Number) })
		return err
	})
	return list, fault.Wrap(err, "list the keys of OIDC tokens")
}

// Rotate makes a new key, which signs from now on. Tokens of the one before stay valid until they end. It needs
// space:admin in the root space. Conflict when somebody else does so at this moment.
func (s *Service) Rotate(ctx context.Context) (made Key, err error) {
	if err := s.access.Authorize(ctx, "space:admin", access.Root); err != nil {
		return made, err
	}
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		before, err := newest(ctx, tx, tx.ForUpdate())
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		now := s.now()
		switch there, err := s.make(ctx, tx, before.Number+1); {
		case err != nil:
			return err
		case !there:
			return fault.Errorf(fault.Conflict, "somebody else makes a new key at this moment")
		}
		if made, err = newest(ctx, tx, ""); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE oidc_keys SET sealed = $1, replaced = $2 WHERE number = $3", []byte{}, store.Micros(now), before.Number); err != nil {
			return fault.Wrap(err, "end the key before")
		}
		// Whoever keeps the database need not keep keys by which nothing is checked.
		if _, err := tx.Exec(ctx, "DELETE FROM oidc_keys WHERE replaced > 0 AND replaced < $1", store.Micros(now.Add(-TokenTime-leeway))); err != nil {
			return fault.Wrap(err, "forget old keys")
		}
		return s.note(ctx, tx, ledger.Entry{Type: "oidc.rotated", Space: access.Root, Subject: "oidc"}, struct {
			Key    string `json:"key"`
			Before string `json:"before,omitempty"`
		}{made.ID, before.ID})
	})
	return made, fault.Wrap(err, "make a new key of OIDC tokens")
}

func (s *Service) note(ctx context.Context, tx *store.Tx, e ledger.Entry, data any) (err error) {
	if e.Data, err = json.Marshal(data); err != nil {
		return err
	}
	_, err = s.ledger.Append(ctx, tx, e)
	return fault.Wrap(err, "note %s", e.Type)
}
