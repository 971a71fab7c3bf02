package stack

import (
	"context"
	"encoding/json"
	"io"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// ConfigurationContent gives the archive of a configuration as it was sent. NotFound while it was not, and once it is
// archived. Permission: stack:plan in the stack's space, which shows as much; otherwise NotFound.
func (s *Service) ConfigurationContent(ctx context.Context, id string) (io.ReadCloser, error) {
	c, stack, err := s.configuration(ctx, id)
	if err != nil {
		return nil, err
	}
	none := access.NotFound("content of configuration " + id)
	if err := s.Access.ReadOrNotFound(ctx, Right(Proposed), stack.Space, "content of configuration "+id); err != nil {
		return nil, err
	}
	if c.Status != ConfigurationUploaded {
		return nil, none
	}
	f, _, err := s.Blob.Open(ctx, c.blob)
	if err != nil {
		return nil, fault.Wrap(err, "open configuration %s", id)
	}
	plain, err := s.Seal.Opening(f)
	if err != nil {
		f.Close()
		return nil, fault.Wrap(err, "unseal configuration %s", id)
	}
	return opened{io.LimitReader(plain, UploadLimit), f}, nil
}

type opened struct {
	io.Reader
	io.Closer
}

// ArchiveConfiguration takes a configuration from what new runs can be of. Runs that were begun keep what they have; what no run
// was begun of goes as any upload does. Conflict for that which the next run is of when it names none. Permission: stack:plan in the stack's space; otherwise as Configuration.
func (s *Service) ArchiveConfiguration(ctx context.Context, id string) error {
	c, stack, err := s.configuration(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Access.Authorize(ctx, Right(Proposed), stack.Space); err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if c, err = getConfiguration(ctx, tx, id); err != nil {
			return err
		}
		current, err := optionalText(tx.QueryRow(ctx, "SELECT id FROM stack_configurations WHERE stack = $1 AND status = 'uploaded' AND speculative = 0 AND provisional = 0 ORDER BY id DESC LIMIT 1", c.Stack.String()))
		switch {
		case err != nil:
			return err
		case c.Status == ConfigurationArchived:
			return nil
		case c.Status != ConfigurationUploaded:
			return fault.Errorf(fault.Conflict, "transition not allowed: configuration could not be archived because it is %s", c.Status)
		case c.ID == current:
			return fault.Errorf(fault.Conflict, "transition not allowed: configuration could not be archived because it is current")
		}
		if _, err := tx.Exec(ctx, "UPDATE stack_configurations SET status = 'archived' WHERE id = $1", id); err != nil {
			return fault.Wrap(err, "archive configuration %s", id)
		}
		return s.note(ctx, tx, stack, "stack.configuration-archived", "", map[string]any{"configuration": c.ID})
	})
}

// noteConfiguration makes a provisional configuration the workspace's own, in the transaction that ends a run which finished: one
// that has applied it, and one that found nothing to change, since what is there is as it says.
func noteConfiguration(ctx context.Context, tx *store.Tx, r run.Run) error {
	var in Input
	if r.State != finished || json.Unmarshal(r.Input, &in) != nil || in.Upload == nil || onlyPlans(in.Type) || in.refreshOnly() {
		return nil
	}
	_, err := tx.Exec(ctx, "UPDATE stack_configurations SET provisional = 0 WHERE id = $1 AND provisional = 1", in.Upload.Configuration)
	return fault.Wrap(err, "note that configuration %s is applied", in.Upload.Configuration)
}
