package hook

import (
	"context"
	"sync"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// refusals counts in memory what was refused, so that a flood of forgeries costs the database one write a second.
type refusals struct {
	mu  sync.Mutex
	all map[string]Refusals
}

// named bounds the integrations that are told apart, since whoever forges may name any.
const named = 1000

func newRefusals() *refusals { return &refusals{all: map[string]Refusals{}} }

// note adds refusals, newer than those before.
func (r *refusals) note(integration string, n Refusals) {
	r.mu.Lock()
	defer r.mu.Unlock()
	had, ok := r.all[integration]
	if !ok && len(r.all) >= named {
		return
	}
	n.Count += had.Count
	r.all[integration] = n
}

// add gives what was written before together with what was not yet.
func (r *refusals) add(integration string, written Refusals) Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh, ok := r.all[integration]
	if !ok {
		return written
	}
	fresh.Count += written.Count
	return fresh
}

// forget drops what was refused until a time and is not written yet.
func (r *refusals) forget(integration string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if had, ok := r.all[integration]; ok && !had.Last.After(until) {
		delete(r.all, integration)
	}
}

func (r *refusals) take() map[string]Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = map[string]Refusals{}
	return all
}

// flushRefusals writes what was refused, of integrations that there are.
func (s *Service) flushRefusals(ctx context.Context) error {
	all := s.refused.take()
	for integration := range all {
		if _, err := s.Sources.SpaceOf(ctx, integration); fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) {
			delete(all, integration)
		}
	}
	if len(all) == 0 {
		return nil
	}
	err := s.DB.Write(ctx, func(tx *store.Tx) error {
		for integration, r := range all {
			if _, err := tx.Exec(ctx, `INSERT INTO hook_refusals (integration, count, last, reason, client) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (integration) DO UPDATE SET count = hook_refusals.count + excluded.count, last = excluded.last, reason = excluded.reason, client = excluded.client`,
				integration, r.Count, r.Last, r.Reason, r.Client); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for integration, r := range all {
			s.refused.note(integration, r)
		}
	}
	return err
}

// backlog bounds what waits. It looks at most once a second, since what comes meanwhile is little.
type backlog struct {
	mu      sync.Mutex
	looked  time.Time
	full    bool
	fresh   int64 // bytes that were stored since the last pruning was asked for
	looking bool
}

const (
	lookEvery   = time.Second
	waitingMost = 200_000 // deliveries
)

// check fails when too much waits to be handled.
func (b *backlog) check(ctx context.Context, s *Service) error {
	b.mu.Lock()
	look := !b.looking && s.Now().Sub(b.looked) >= lookEvery
	b.looking = b.looking || look
	full := b.full
	b.mu.Unlock()
	if look {
		var count, bytes int64
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT COUNT(*), CAST(COALESCE(SUM(stored), 0) AS BIGINT) FROM hook_deliveries WHERE state = 'received'`).Scan(&count, &bytes)
		})
		full = err == nil && (count >= int64(min(waitingMost, s.Retention.Rows)) || bytes >= s.Retention.Space)
		b.mu.Lock()
		b.looking, b.looked, b.full = false, s.Now(), full
		b.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if full {
		return fault.Errorf(fault.Unavailable, "too many deliveries wait to be handled; send it again later")
	}
	return nil
}

// add notes that bytes were stored, and has payloads pruned before they are too many.
func (b *backlog) add(s *Service, bytes int64) {
	b.mu.Lock()
	b.fresh += bytes
	due := b.fresh >= s.Retention.Space/16
	if due {
		b.fresh = 0
	}
	b.mu.Unlock()
	if due {
		select {
		case s.crowded <- struct{}{}:
		default: // it is asked for already
		}
	}
}
