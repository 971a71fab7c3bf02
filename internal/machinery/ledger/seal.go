package ledger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sealCount is how many entries one transaction of the sealer takes.
const sealCount = 500

// pending is an entry as it waits for the sealer.
type pending struct {
	ID      string   `json:"id"`
	Time    int64    `json:"time"` // microseconds
	Actor   string   `json:"actor"`
	Space   string   `json:"space,omitempty"`
	Type    string   `json:"type"`
	Subject string   `json:"subject,omitempty"`
	Refs    []string `json:"refs,omitempty"`
	Run     string   `json:"run,omitempty"`
	Cause   string   `json:"cause,omitempty"`
	Data    string   `json:"data,omitempty"` // as text, so that not a byte of it changes
}

func (p pending) entry() Entry {
	e := Entry{ID: p.ID, Time: store.FromMicros(p.Time), Actor: p.Actor, Space: p.Space, Type: p.Type,
		Subject: p.Subject, Refs: p.Refs, Run: p.Run, Cause: p.Cause}
	if p.Data != "" {
		e.Data = json.RawMessage(p.Data)
	}
	return e
}

// hold is Append on PostgreSQL. The number it gets keeps the order of entries in one transaction, and of
// transactions that waited for one another.
func (l *Ledger) hold(ctx context.Context, tx *store.Tx, e Entry) error {
	text, err := json.Marshal(pending{ID: e.ID, Time: store.Micros(e.Time), Actor: e.Actor, Space: e.Space, Type: e.Type,
		Subject: e.Subject, Refs: e.Refs, Run: e.Run, Cause: e.Cause, Data: string(e.Data)})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO ledger_pending (entry) VALUES ($1)`, string(text)); err != nil {
		return err
	}
	l.db.Notify(tx, pendingWake)
	return nil
}

// sealer seals what is pending, until ctx ends. Any number of servers may run it. Where there is one writer, it ends when
// nothing is left: whatever is appended is sealed at once.
func (l *Ledger) sealer(ctx context.Context) {
	ends := l.db.Dialect() != store.Postgres
	l.repeat(ctx, pendingWake, ends, "the ledger could not be sealed; it is tried again", func(ctx context.Context) (more bool, err error) {
		count, err := l.Seal(ctx)
		return count == sealCount, err
	})
}

// repeat does something while there is more of it, and again at each wake, until ctx ends; or else, until there is no more.
func (l *Ledger) repeat(ctx context.Context, channel string, ends bool, failed string, fn func(context.Context) (more bool, err error)) {
	wake, stop := l.db.Listen(channel)
	defer stop()
	pause := backoff{}
	for ctx.Err() == nil {
		more, err := fn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Error(failed, "error", err)
			pause.wait(ctx)
			continue
		}
		pause = backoff{}
		if more {
			continue
		}
		if ends {
			return
		}
		timer := time.NewTimer(poll)
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Seal seals what is pending, up to a bound, and gives how many entries that were. Run calls it; a test or a
// migration without Run may too.
func (l *Ledger) Seal(ctx context.Context) (count int, err error) {
	if l.db.Dialect() != store.Postgres {
		count, err = l.sealLeft(ctx)
		return count, fault.Wrap(err, "seal the ledger")
	}
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		position, hash, err := head(ctx, tx, tx.ForUpdate())
		if err != nil {
			return err
		}
		numbers, entries, err := readPending(ctx, tx)
		count = len(entries)
		if err != nil || count == 0 {
			return err
		}
		batch := &pgx.Batch{}
		for i, e := range entries {
			e = e.seal(position+1, hash)
			entries[i], position, hash = e, e.Position, e.Hash
			refs, err := encodeRefs(e.Refs)
			if err != nil {
				return err
			}
			batch.Queue(insertEntry, e.values(refs)...)
			for _, r := range e.mentions() {
				batch.Queue(insertRef, r, e.Position)
			}
			batch.Queue(`DELETE FROM ledger_pending WHERE number = $1`, numbers[i])
		}
		batch.Queue(updateHead, position, hash)
		if err := tx.Batch(ctx, batch); err != nil {
			return err
		}
		tx.OnCommit(func() {
			for _, e := range entries {
				l.sealed(e)
			}
		})
		l.db.Notify(tx, sealedWake)
		return nil
	})
	return count, fault.Wrap(err, "seal the ledger")
}

// sealLeft is Seal where there is one writer: nothing waits there but what a backup from PostgreSQL has brought.
func (l *Ledger) sealLeft(ctx context.Context) (count int, err error) {
	var numbers []int64
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		numbers, _, err = readPending(ctx, tx)
		return err
	})
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	err = l.db.Write(ctx, func(tx *store.Tx) error {
		numbers, entries, err := readPending(ctx, tx)
		count = len(entries)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if err := l.sealAtOnce(ctx, tx, e); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM ledger_pending WHERE number = $1`, numbers[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}

func readPending(ctx context.Context, tx *store.Tx) (numbers []int64, entries []Entry, err error) {
	rows, err := tx.Query(ctx, `SELECT number, entry FROM ledger_pending ORDER BY number LIMIT $1`, sealCount)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var text string
		var p pending
		if err := rows.Scan(&number, &text); err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, nil, fault.Wrap(err, "read pending entry %d", number)
		}
		numbers, entries = append(numbers, number), append(entries, p.entry())
	}
	return numbers, entries, rows.Err()
}
