package run

import (
	"context"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// What agents put is kept by its content, beside what all others put. So it is noted, and what the step does not name when it
// ends goes after a while, unless somebody else has put the same before or since: then the content is theirs too.

// Leftovers are looked for now and then. An agent has its time to report what it has put.
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
	step, digest string
	modified     int64
}

// DropLeftovers removes what agents have put for steps that they have no more, and that these did not name, and tells how much.
func (s *Service) DropLeftovers(ctx context.Context) (dropped int, err error) {
	for {
		some, n, err := s.dropSome(ctx)
		dropped += n
		if err != nil || some < batch {
			return dropped, fault.Wrap(err, "remove what agents have put and no step names")
		}
	}
}

func (s *Service) dropSome(ctx context.Context) (seen, dropped int, err error) {
	var all []leftover
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all = nil
		rows, err := tx.Query(ctx, `SELECT b.step, b.digest, b.modified FROM run_step_blobs b LEFT JOIN run_steps s ON s.id = b.step
 WHERE b.put < $1 AND (s.id IS NULL OR s.state <> 'leased') ORDER BY b.put, b.step, b.digest LIMIT $2`, store.Micros(s.Now().Add(-leftoverAge)), batch)
		all, err = store.Collect(rows, err, func(row store.Row) (l leftover, err error) {
			return l, row.Scan(&l.step, &l.digest, &l.modified)
		})
		return err
	})
	for _, l := range all {
		if err != nil {
			break
		}
		if l.modified > 0 {
			var gone bool
			if gone, err = s.Blob.Drop(ctx, blob.Info{Digest: l.digest, Modified: time.Unix(0, l.modified)}); gone {
				dropped++
			}
		}
		if err == nil {
			err = s.DB.Write(ctx, func(tx *store.Tx) error { // not what was put again meanwhile
				_, err := tx.Exec(ctx, "DELETE FROM run_step_blobs WHERE step=$1 AND digest=$2 AND modified=$3", l.step, l.digest, l.modified)
				return err
			})
		}
	}
	return len(all), dropped, err
}
