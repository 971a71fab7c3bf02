package run

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Wait returns when the run's version is past after. Permission: run:read, asked again at each look.
func (s *Service) Wait(ctx context.Context, id string, after int64) (Run, error) {
	wake, stop := s.DB.Listen(channelRuns)
	defer stop()
	for {
		r, err := s.Get(ctx, id)
		if err != nil || r.Version > after {
			return r, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// ReadLog reads from the log of a step's attempt at an offset into p: how much was read, how long the log is now, and
// whether it is complete. Attempt 0 is the newest. Permission: run:read in the run's space, otherwise NotFound, and run:log.
func (s *Service) ReadLog(ctx context.Context, runID, stepID string, attempt int, offset int64, p []byte) (n int, size int64, sealed bool, err error) {
	stream, done, err := s.stream(ctx, runID, stepID, attempt)
	if err != nil {
		return 0, 0, false, err
	}
	return s.read(ctx, stream, done, offset, p)
}

// read reads from a log, of which done tells that nothing more comes even if it is not sealed.
func (s *Service) read(ctx context.Context, stream string, done bool, offset int64, p []byte) (n int, size int64, sealed bool, err error) {
	n, size, sealed, err = s.Blob.ReadAt(ctx, stream, offset, p)
	if fault.Is(err, fault.NotFound) { // nothing was written
		return 0, 0, done, nil
	}
	return n, size, sealed || done, err
}

// FollowLog is ReadLog that waits for a while where there is nothing to read yet, and then gives what has come: it may be
// nothing, and whoever follows asks again. Permission: as for ReadLog, asked before it waits, so that of many who follow a
// log each has a new line at once.
func (s *Service) FollowLog(ctx context.Context, runID, stepID string, attempt int, offset int64, p []byte) (n int, size int64, sealed bool, err error) {
	stream, done, err := s.stream(ctx, runID, stepID, attempt)
	if err != nil {
		return 0, 0, false, err
	}
	if n, size, sealed, err = s.read(ctx, stream, done, offset, p); n > 0 || sealed || err != nil {
		return n, size, sealed, err
	}
	within, stop := context.WithTimeout(ctx, followTime)
	defer stop()
	if err := s.Blob.Wait(within, stream, offset); err != nil && within.Err() == nil {
		return 0, 0, false, err
	}
	return s.read(ctx, stream, false, offset, p)
}

// followTime is how long FollowLog waits. Nothing wakes it when a step ends that was never leased, since nobody seals a log of it;
// and rights may be taken away.
const followTime = 5 * time.Second

// Attempt gives the number of a step's newest attempt, whose log is to be read. Permission: as for ReadLog.
func (s *Service) Attempt(ctx context.Context, runID, stepID string) (n int, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		step, err := s.step(ctx, tx, runID, stepID)
		if err == nil {
			n = step.Attempt
		}
		return err
	})
	return n, err
}

// step gives a step whose log the caller may read.
func (s *Service) step(ctx context.Context, tx *store.Tx, runID, stepID string) (*Step, error) {
	if _, err := s.authorized(ctx, tx, runID, "run:log"); err != nil {
		return nil, err
	}
	step, err := scanStep(tx.QueryRow(ctx, "SELECT "+stepColumns+" FROM run_steps s WHERE s.run = $1 AND (s.id = $2 OR s.key = $2)", runID, stepID))
	return step, fault.Wrap(err, "step %s of run %s", stepID, runID)
}

// WaitLog returns when the log is longer than offset or complete. Permission: as for ReadLog.
func (s *Service) WaitLog(ctx context.Context, runID, stepID string, attempt int, offset int64) error {
	stream, done, err := s.stream(ctx, runID, stepID, attempt)
	if err != nil || done {
		return err
	}
	return s.Blob.Wait(ctx, stream, offset)
}

// stream names the log of an attempt and tells whether that attempt has ended.
func (s *Service) stream(ctx context.Context, runID, stepID string, attempt int) (stream string, done bool, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		step, err := s.step(ctx, tx, runID, stepID)
		if err != nil {
			return err
		}
		if attempt == 0 {
			attempt = step.Attempt
		}
		if attempt < 1 || attempt > step.Attempt {
			return fault.Errorf(fault.NotFound, "step %s has had %d attempts; there is no attempt %d", stepID, step.Attempt, attempt)
		}
		stream, done = logStream(runID, step.ID, attempt), attempt < step.Attempt || step.State.Done()
		return nil
	})
	return stream, done, err
}
