package stack

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// What was uploaded and no run was begun of is kept for a week. The newest that a stack may apply stays: a run that names
// none takes it.
const (
	jobUploads   = "stack.uploads"
	uploadsEvery = time.Hour
	uploadsKept  = 7 * 24 * time.Hour
	uploadsBatch = 100
)

func (s *Service) subscribeUploads() {
	queue.Handle(s.Queue, jobUploads, queue.HandleOptions{Timeout: 10 * time.Minute}, func(ctx context.Context, _ struct{}) error {
		if err := s.forgetPushes(ctx); err != nil {
			return err
		}
		return s.DropUploads(actor.AsSystem(ctx))
	})
	s.Queue.Every(jobUploads, uploadsEvery, struct{}{})
}

// DropUploads forgets uploads that were not used, and removes what nobody else has of them.
func (s *Service) DropUploads(ctx context.Context) error {
	before := store.Micros(s.Now().Add(-uploadsKept))
	for {
		n := 0
		var gone []string
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			gone = nil
			rows, err := tx.Query(ctx, `SELECT c.id, c.kept, c.stack FROM stack_configurations c WHERE c.used = 0 AND c.created < $1
 AND (c.speculative = 1 OR c.status <> 'uploaded' OR EXISTS (SELECT 1 FROM stack_configurations n WHERE n.stack = c.stack AND n.status = 'uploaded' AND n.speculative = 0 AND n.provisional = 0 AND n.id > c.id))
 ORDER BY c.created, c.id LIMIT $2`, before, uploadsBatch)
			all, err := store.Collect(rows, err, func(row store.Row) (c droppedUpload, err error) { return c, row.Scan(&c.id, &c.kept, &c.stack) })
			if err != nil {
				return err
			}
			n = len(all)
			for _, c := range all {
				if _, err := tx.Exec(ctx, "DELETE FROM stack_configurations WHERE id = $1 AND used = 0", c.id); err != nil {
					return err
				}
				others := 0
				if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_configurations WHERE kept = $1", c.kept).Scan(&others); err != nil {
					return err
				}
				if others == 0 && c.kept != "" {
					gone = append(gone, c.kept)
				}
			}
			return s.noteDropped(ctx, tx, all)
		})
		if err != nil {
			return fault.Wrap(err, "forget uploads that were not used")
		}
		for _, kept := range gone { // sealed, so that it is nobody else's
			if err := s.Blob.Delete(ctx, kept); err != nil {
				return err
			}
		}
		if n < uploadsBatch {
			return nil
		}
	}
}

type droppedUpload struct{ id, kept, stack string }

// noteDropped says in the ledger of each stack which of its uploads were forgotten.
func (s *Service) noteDropped(ctx context.Context, tx *store.Tx, all []droppedUpload) error {
	of := map[string][]string{}
	for _, c := range all {
		of[c.stack] = append(of[c.stack], c.id)
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		r, err := ref.Parse(name, "stack", ref.DefaultNamespace)
		if err != nil {
			return err
		}
		stack, err := getStack(ctx, tx, r, "")
		if err != nil {
			return err
		}
		if err := s.note(ctx, tx, stack, "stack.configurations-forgotten", "", map[string]any{"configurations": of[name]}); err != nil {
			return err
		}
	}
	return nil
}

// useUpload notes, in the transaction that begins a run, that an upload is used. Conflict when it went at this moment.
func (s *Service) useUpload(ctx context.Context, tx *store.Tx, c Configuration, r ref.Entity) error {
	n, err := tx.Exec(ctx, "UPDATE stack_configurations SET used = $2 WHERE id = $1", c.ID, store.Micros(s.Now()))
	if err == nil && n == 0 {
		err = fault.Errorf(fault.Conflict, "configuration %s of %s was forgotten at this moment, since nobody had used it for long; upload it again", c.ID, r)
	}
	return err
}
