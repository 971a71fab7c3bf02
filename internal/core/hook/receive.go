package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// wake is the channel on which the sorter hears of deliveries.
const wake = "hook.received"

// counts are what this server did, for its metrics.
type counts struct {
	stored, repeated, refused, turnedAway atomic.Int64
}

// Counts tells what became of what came since this server started.
type Counts struct {
	Stored, Repeated int64
	Refused          int64 // not signed, or for no integration
	TurnedAway       int64 // since too much waits, or the database or a disk did not take it
}

// Counts tells what became of what came since this server started.
func (s *Service) Counts() Counts {
	return Counts{s.counts.stored.Load(), s.counts.repeated.Load(), s.counts.refused.Load(), s.counts.turnedAway.Load()}
}

// Receive takes a delivery: when it gives no error, the delivery is kept. Unauthenticated when it is not signed as the
// integration wants, in the same words and after the same work when there is no such integration; Unavailable when it
// can't be taken now.
func (s *Service) Receive(ctx context.Context, in Incoming) (Receipt, error) {
	id, err := s.verify(ctx, in)
	if err != nil {
		return Receipt{}, s.turned(err)
	}
	if err := s.backlog.check(ctx, s); err != nil {
		return Receipt{}, s.turned(err)
	}
	p, err := s.pack(ctx, in)
	if err != nil {
		return Receipt{}, s.turned(err)
	}
	digest := sha256.Sum256(in.Body)
	if id == "" {
		id = hex.EncodeToString(digest[:])
	}
	var r Receipt
	used := true // the payload
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		r, used = Receipt{}, true
		var err error
		if r.Number, err = s.insert(ctx, tx, in, id, digest[:], p); r.Number == 0 && err == nil {
			r.Known = true
			r.Number, used, err = s.repeat(ctx, tx, in.Integration, id, digest[:], p)
		}
		return err
	})
	if err != nil || !used {
		s.discard(ctx, p)
	}
	switch {
	case err != nil:
		return Receipt{}, s.turned(err)
	case r.Known:
		s.counts.repeated.Add(1)
	default:
		s.counts.stored.Add(1)
		s.backlog.add(s, p.stored())
	}
	return r, nil
}

func (s *Service) turned(err error) error {
	if fault.Is(err, fault.Unauthenticated) {
		s.counts.refused.Add(1)
	} else {
		s.counts.turnedAway.Add(1)
	}
	return err
}

// verify gives the id of a delivery that is signed.
func (s *Service) verify(ctx context.Context, in Incoming) (id string, err error) {
	hooks, secrets, err := s.Sources.Hooks(ctx, in.Integration)
	if err == nil {
		if err = hooks.Verify(in.Header, in.Body, secrets...); err == nil {
			return clipID(hooks.Delivery(in.Header)), nil
		}
	} else {
		switch fault.KindOf(err) {
		case fault.NotFound, fault.Conflict, fault.Invalid: // there is none, or it takes no webhooks
			decoy := hmac.New(sha256.New, []byte(wake))
			decoy.Write(in.Body)
			hmac.Equal(decoy.Sum(nil), []byte(in.Header.Get("X-Hub-Signature-256")))
		default:
			return "", err
		}
	}
	s.refused.note(in.Integration, Refusals{Count: 1, Last: s.Now(), Reason: clip(fault.Message(err), 300), Client: clip(in.Client, 100)})
	return "", fault.Errorf(fault.Unauthenticated, "the delivery is not signed with the secret of an integration at this address; compare the webhook's address and secret with the integration's")
}

// clipID keeps an id short, and different from any other.
func clipID(id string) string {
	if len(id) <= 200 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// insert keeps a delivery; number is 0 when it was there already.
func (s *Service) insert(ctx context.Context, tx *store.Tx, in Incoming, id string, digest []byte, p packed) (number int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO hook_deliveries (integration, delivery, digest, size, stored, received, state, sorted, rounds, repeats, repeated, kind, name, lane, repository, sender, attempts, due, handled, outcome)
VALUES ($1, $2, $3, $4, $5, $6, 'received', 0, 0, 0, 0, '', '', '', '', '', 0, 0, 0, '') ON CONFLICT DO NOTHING RETURNING number`,
		in.Integration, id, digest, len(in.Body), p.stored(), s.Now()).Scan(&number)
	if fault.Is(err, fault.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.DB.Notify(tx, wake)
	return number, p.write(ctx, tx, number)
}

// repeat notes that a delivery came again, and has it handled again where that can be meant; see the room's doc.
func (s *Service) repeat(ctx context.Context, tx *store.Tx, integration, id string, digest []byte, p packed) (number int64, used bool, err error) {
	var known, state, kind string
	var stored int64
	err = tx.QueryRow(ctx, `SELECT number, delivery, state, kind, stored FROM hook_deliveries WHERE integration = $1 AND (delivery = $2 OR digest = $3) ORDER BY number LIMIT 1`+tx.ForUpdate(),
		integration, id, digest).Scan(&number, &known, &state, &kind, &stored)
	if err != nil {
		return 0, false, err
	}
	if _, err := tx.Exec(ctx, `UPDATE hook_deliveries SET repeats = repeats + 1, repeated = $1 WHERE number = $2`, s.Now(), number); err != nil {
		return 0, false, err
	}
	nameless := known == hex.EncodeToString(digest) // by a forge that has no ids, a repetition looks like a new one
	if state != Failed && (kind != "push" || known == id && !nameless) {
		return number, false, nil
	}
	if stored == 0 {
		if _, err := tx.Exec(ctx, `UPDATE hook_deliveries SET stored = $1 WHERE number = $2`, p.stored(), number); err != nil {
			return 0, false, err
		}
		if err := p.write(ctx, tx, number); err != nil {
			return 0, false, err
		}
		used = true
	}
	s.DB.Notify(tx, wake)
	return number, used, reopen(ctx, tx, number)
}
