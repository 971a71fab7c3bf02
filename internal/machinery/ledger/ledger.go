package ledger

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, _ := fs.Sub(migrations, "migrations") // a constant, valid path
	return store.Migrations{Room: "ledger", FS: files}
}

// Channels of wakes, see store.Listen.
const (
	sealedWake  = "ledger"
	pendingWake = "ledger.pending"
)

// poll is the safety net under the wakes.
const poll = 5 * time.Second

// Ledger appends, seals and hands out entries.
type Ledger struct {
	db   *store.DB
	now  func() time.Time
	log  *slog.Logger
	head atomic.Int64 // the last sealed position that this process knows of
	tail *tail

	mu          sync.Mutex
	running     bool
	subscribers []*subscriber
}

// New gives the ledger on db.
func New(db *store.DB, now func() time.Time, log *slog.Logger) *Ledger {
	return &Ledger{db: db, now: now, log: log, tail: newTail()}
}

// Append adds e in tx and gives its id. It fails with fault.TooLarge over the bounds of an entry.
func (l *Ledger) Append(ctx context.Context, tx *store.Tx, e Entry) (id string, err error) {
	e, err = e.complete(ctx, l.now())
	if err != nil {
		return "", err
	}
	if l.db.Dialect() == store.Postgres {
		err = l.hold(ctx, tx, e)
	} else {
		err = l.sealAtOnce(ctx, tx, e)
	}
	return e.ID, fault.Wrap(err, "append %s to the ledger", e.Type)
}

// sealAtOnce is Append where there is one writer.
func (l *Ledger) sealAtOnce(ctx context.Context, tx *store.Tx, e Entry) error {
	position, hash, err := l.Head(ctx, tx)
	if err != nil {
		return err
	}
	e = e.seal(position+1, hash)
	refs, err := encodeRefs(e.Refs)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertEntry, e.values(refs)...); err != nil {
		return err
	}
	for _, r := range e.mentions() {
		if _, err := tx.Exec(ctx, insertRef, r, e.Position); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, updateHead, e.Position, e.Hash); err != nil {
		return err
	}
	tx.OnCommit(func() { l.sealed(e) })
	l.db.Notify(tx, sealedWake)
	return nil
}

const (
	insertEntry = `INSERT INTO ledger_entries
		(position, id, time, actor, space, type, subject, refs, run, cause, data, previous, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	insertRef  = `INSERT INTO ledger_refs (ref, position) VALUES ($1, $2)`
	updateHead = `UPDATE ledger_head SET position = $1, hash = $2 WHERE one = 1`
)

func (e Entry) values(refs string) []any {
	return []any{e.Position, e.ID, store.Micros(e.Time), e.Actor, e.Space, e.Type, e.Subject, refs, e.Run, e.Cause,
		string(e.Data), e.Previous, e.Hash}
}

func encodeRefs(refs []string) (string, error) {
	if len(refs) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(refs)
	return string(text), err
}

// sealed notes that e, which follows all that were noted before, is sealed and committed.
func (l *Ledger) sealed(e Entry) {
	l.know(e.Position)
	l.tail.add(e.Position, e.Type)
}

// know notes that position is sealed and committed.
func (l *Ledger) know(position int64) {
	for {
		old := l.head.Load()
		if position <= old || l.head.CompareAndSwap(old, position) {
			return
		}
	}
}

// Head gives the last sealed position and its hash; 0 and nil for an empty ledger.
func (l *Ledger) Head(ctx context.Context, tx *store.Tx) (position int64, hash []byte, err error) {
	return head(ctx, tx, "")
}

func head(ctx context.Context, tx *store.Tx, lock string) (position int64, hash []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT position, hash FROM ledger_head WHERE one = 1`+lock).Scan(&position, &hash)
	return position, hash, fault.Wrap(err, "read the head of the ledger")
}

// Wait returns when something past after is sealed, or with the error of ctx.
func (l *Ledger) Wait(ctx context.Context, after int64) error {
	wake, stop := l.db.Listen(sealedWake)
	defer stop()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		if l.head.Load() > after {
			return nil
		}
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if l.head.Load() > after {
			return nil
		}
		select {
		case <-wake:
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refresh learns of what other servers have sealed.
func (l *Ledger) refresh(ctx context.Context) error {
	return l.db.Read(ctx, func(tx *store.Tx) error {
		position, _, err := l.Head(ctx, tx)
		l.know(position)
		return err
	})
}
