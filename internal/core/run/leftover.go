package run

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What agents put is kept by its content, beside what all others put. So it is noted, and what the step does not name when it
// ends goes after a while, unless somebody else has put the same before or since: then the content is theirs too.

// An agent has an hour to report what it has put, and what is left over by then is looked for every ten minutes.
const (
	leftoverAge   = time.Hour
	leftoverEvery = 10 * time.Minute
)

// put keeps what an agent brings for a step, and notes it. The step may name it as an artifact.
func (h *hub) put(ctx context.Context, step string, r io.Reader) (digest string, size int64, err error) {
	kept, before, err := h.Blob.Bring(ctx, r, blobLimit)
	if err != nil {
		return "", 0, err
	}
	// Whoever asked may be gone: it is noted all the same, or nobody would know of it.
	err = h.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		var last int64
		err := tx.QueryRow(ctx, "SELECT modified FROM run_step_blobs WHERE step=$1 AND digest=$2", step, kept.Digest).Scan(&last)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		modified := int64(0)
		if before.IsZero() || last > 0 && last == before.UnixNano() { // nobody's, or this step's own from an earlier try
			modified = kept.Modified.UnixNano()
		}
		_, err = tx.Exec(ctx, `INSERT INTO run_step_blobs (step, digest, put, modified) VALUES ($1,$2,$3,$4)
 ON CONFLICT (step, digest) DO UPDATE SET put=excluded.put, modified=excluded.modified`, step, kept.Digest, store.Micros(h.Now()), modified)
		return err
	})
	return kept.Digest, kept.Size, fault.Wrap(err, "note an artifact of step %s", step)
}

// named forgets that an agent has put what its step names in its result, in the transaction in which it does.
func (h *hub) named(ctx context.Context, tx *store.Tx, step string, r worker.Result) error {
	if h.agent == nil {
		return nil
	}
	for _, a := range r.Artifacts {
		if _, err := tx.Exec(ctx, "DELETE FROM run_step_blobs WHERE step=$1 AND digest=$2", step, a.Digest); err != nil {
			return fault.Wrap(err, "forget what step %s has put", step)
		}
	}
	return nil
}

// leftover is something that an agent has put.
type leftover struct {
	step, digest  string
	put, modified int64
}

// tidy removes now and then what agents have put and no step names, until ctx ends.
func (s *Service) tidy(ctx context.Context) {
	every := time.NewTicker(leftoverEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		n, err := s.DropLeftovers(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("runs: tidy up", "error", err)
		}
		if n > 0 {
			s.Log.Info("removed what agents have put and no step names", "blobs", n)
		}
	}
}

// DropLeftovers removes what agents have put for steps that they have no more, and that these did not name, and tells how
// much. It goes on after what can't be removed.
func (s *Service) DropLeftovers(ctx context.Context) (dropped int, err error) {
	var all []error
	for last, more := (leftover{}), true; more && ctx.Err() == nil; {
		some, err := s.leftovers(ctx, last)
		if err != nil {
			all = append(all, err)
			break
		}
		for _, l := range some {
			gone, err := s.dropOne(ctx, l)
			if gone {
				dropped++
			}
			if err != nil {
				all = append(all, err)
			}
			last = l
		}
		more = len(some) == batch
	}
	return dropped, fault.Wrap(errors.Join(all...), "remove what agents have put and no step names")
}

// leftovers gives a batch of them, after one of the last.
func (s *Service) leftovers(ctx context.Context, last leftover) (all []leftover, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT b.step, b.digest, b.put, b.modified FROM run_step_blobs b LEFT JOIN run_steps s ON s.id = b.step
 WHERE b.put < $1 AND (b.put, b.step, b.digest) > ($2, $3, $4) AND (s.id IS NULL OR s.state <> 'leased')
 ORDER BY b.put, b.step, b.digest LIMIT $5`, store.Micros(s.Now().Add(-leftoverAge)), last.put, last.step, last.digest, batch)
		all, err = store.Collect(rows, err, func(row store.Row) (l leftover, err error) {
			return l, row.Scan(&l.step, &l.digest, &l.put, &l.modified)
		})
		return err
	})
	return all, err
}

func (s *Service) dropOne(ctx context.Context, l leftover) (gone bool, err error) {
	if l.modified > 0 {
		if gone, err = s.Blob.Drop(ctx, blob.Info{Digest: l.digest, Modified: time.Unix(0, l.modified)}); err != nil {
			return gone, err
		}
	}
	return gone, s.DB.Write(ctx, func(tx *store.Tx) error { // not what was put again meanwhile
		_, err := tx.Exec(ctx, "DELETE FROM run_step_blobs WHERE step=$1 AND digest=$2 AND put=$3 AND modified=$4", l.step, l.digest, l.put, l.modified)
		return err
	})
}
