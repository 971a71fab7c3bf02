package hook

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// pruneCount is how many deliveries are pruned in one transaction.
const pruneCount = 200

// prune drops payloads that are old or too many, and then deliveries. What has not been handled is left alone.
func (s *Service) prune(ctx context.Context) error {
	now := s.Now()
	if err := s.drop(ctx, false, `stored > 0 AND state <> 'received' AND received < $1`, store.Micros(now.Add(-s.Retention.Payloads))); err != nil {
		return err
	}
	if err := s.shrink(ctx); err != nil {
		return err
	}
	if err := s.drop(ctx, true, `state <> 'received' AND received < $1`, store.Micros(now.Add(-s.Retention.Days))); err != nil {
		return err
	}
	var first int64
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT number FROM hook_deliveries ORDER BY number DESC LIMIT 1 OFFSET $1", s.Retention.Rows).Scan(&first)
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.drop(ctx, true, `state <> 'received' AND number <= $1`, first)
}

// shrink drops the oldest payloads until they take less than the bound.
func (s *Service) shrink(ctx context.Context) error {
	for {
		var total int64
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, "SELECT CAST(COALESCE(SUM(stored), 0) AS BIGINT) FROM hook_deliveries WHERE stored > 0").Scan(&total)
		})
		if err != nil || total <= s.Retention.Space-s.Retention.Space/8 {
			return err
		}
		over := total - (s.Retention.Space - s.Retention.Space/8)
		for over > 0 {
			freed, err := s.dropSome(ctx, false, `stored > 0 AND state <> 'received'`, nil, over)
			if err != nil || freed == 0 {
				return err
			}
			over -= freed
		}
	}
}

// drop prunes all deliveries that a condition holds for, or only their payloads.
func (s *Service) drop(ctx context.Context, rows bool, condition string, bound int64) error {
	for {
		freed, err := s.dropSome(ctx, rows, condition, []any{bound}, 0)
		if err != nil || freed == 0 {
			return err
		}
	}
}

// dropSome prunes some deliveries, the oldest first, until enough bytes are freed (0: as many as one transaction takes).
// A blob goes before its row, so that none is left behind.
func (s *Service) dropSome(ctx context.Context, rows bool, condition string, args []any, enough int64) (freed int64, err error) {
	type doomed struct {
		number, stored int64
		blob           string
	}
	var all []doomed
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		found, err := tx.Query(ctx, `SELECT d.number, d.stored, COALESCE((SELECT p.content FROM hook_payloads p WHERE p.number = d.number), '') FROM hook_deliveries d
WHERE `+condition+` ORDER BY d.number LIMIT `+number(pruneCount), args...)
		all, err = store.Collect(found, err, func(r store.Row) (d doomed, err error) { return d, r.Scan(&d.number, &d.stored, &d.blob) })
		return err
	})
	if err != nil {
		return 0, err
	}
	for i, d := range all {
		if enough > 0 && freed >= enough {
			all = all[:i]
			break
		}
		freed += max(1, d.stored)
		if d.blob != "" {
			if err := s.Blob.Delete(ctx, d.blob); err != nil {
				return 0, err
			}
		}
	}
	return freed, s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, d := range all {
			// One that is to be handled again meanwhile keeps what it has.
			query := `UPDATE hook_deliveries SET stored = 0 WHERE number = $1 AND state <> 'received'`
			if rows {
				query = `DELETE FROM hook_deliveries WHERE number = $1 AND state <> 'received'`
			}
			n, err := tx.Exec(ctx, query, d.number)
			if err != nil {
				return err
			}
			if n == 1 {
				if _, err := tx.Exec(ctx, `DELETE FROM hook_payloads WHERE number = $1`, d.number); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// forget drops all that came for an integration before it was deleted.
func (s *Service) forget(ctx context.Context, f forgotten) error {
	s.refused.forget(f.Integration, f.Until)
	until := store.Micros(f.Until.Truncate(time.Microsecond))
	if err := s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM hook_refusals WHERE integration = $1 AND last <= $2`, f.Integration, until); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE hook_deliveries SET state = 'ignored', sorted = 1, outcome = 'the integration is gone'
WHERE integration = $1 AND state = 'received' AND received <= $2`, f.Integration, until)
		return err
	}); err != nil {
		return err
	}
	for {
		freed, err := s.dropSome(ctx, true, `integration = $1 AND state <> 'received' AND received <= $2`, []any{f.Integration, until}, 0)
		if err != nil || freed == 0 {
			return err
		}
	}
}
