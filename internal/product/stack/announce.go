package stack

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// announced is a state that a client will send. It becomes a version when it is there, with an id of its own, since the
// order of ids is that of versions.
type announced struct {
	id, md5, actor, state string
	stack                 ref.Entity
	serial                int64
}

// AnnounceState gives an id under which a state is to be written with WriteAnnounced.
// Permission: stack:state in the stack's space.
func (s *Service) AnnounceState(ctx context.Context, r ref.Entity, serial int64, sum string) (id string, err error) {
	if err := s.MayWriteState(ctx, r); err != nil {
		return "", err
	}
	now := s.Now()
	id = ref.NewID(ref.State, now)
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM stack_pending_states WHERE stack = $1 AND created < $2", r.String(), store.Micros(now.Add(-24*time.Hour))); err != nil {
			return fault.Wrap(err, "forget old states of %s", r)
		}
		n := 0
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_pending_states WHERE stack = $1 AND state = ''", r.String()).Scan(&n); err != nil {
			return err
		}
		if n >= mostPending {
			return fault.Errorf(fault.Exhausted, "%d states of %s were announced and not sent; send one of them, or come back tomorrow", n, r)
		}
		_, err := tx.Exec(ctx, "INSERT INTO stack_pending_states (id, stack, serial, md5, actor, state, created) VALUES ($1,$2,$3,$4,$5,'',$6)",
			id, r.String(), serial, sum, actor.From(ctx).ID, store.Micros(now))
		return fault.Wrap(err, "announce a state of %s", r)
	})
	return id, err
}

func getAnnounced(ctx context.Context, tx *store.Tx, id string) (announced, error) {
	return store.One(tx.QueryRow(ctx, "SELECT id, stack, serial, md5, actor, state FROM stack_pending_states WHERE id = $1", id), func(row store.Row) (a announced, err error) {
		name := ""
		if err := row.Scan(&a.id, &name, &a.serial, &a.md5, &a.actor, &a.state); err != nil {
			return a, err
		}
		a.stack, err = ref.Parse(name, "stack", ref.DefaultNamespace)
		return a, err
	}, "state %s", id)
}

// AnnouncedState gives the id of the version that an announced state became, or the id itself when it is none. NotFound
// while it has not come, and for who did not announce it.
func (s *Service) AnnouncedState(ctx context.Context, id string) (version string, err error) {
	var a announced
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = getAnnounced(ctx, tx, id)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return id, nil
	case err != nil:
		return "", err
	case a.actor != actor.From(ctx).ID || a.state == "":
		return "", access.NotFound("state " + id)
	}
	return a.state, nil
}

// WriteAnnounced writes a state that was announced, as WriteWorkspaceState does.
// Permission: stack:state in the stack's space, and it is the caller's own; otherwise NotFound.
func (s *Service) WriteAnnounced(ctx context.Context, id string, data []byte) (v StateVersion, err error) {
	var a announced
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = getAnnounced(ctx, tx, id)
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && a.actor != actor.From(ctx).ID {
		return v, access.NotFound("state " + id)
	}
	if err != nil {
		return v, err
	}
	if sum := md5.Sum(data); hex.EncodeToString(sum[:]) != a.md5 {
		return v, fault.Errorf(fault.Invalid, "the state is not the one that was announced, by its md5; send it again")
	}
	if v, err = s.WriteWorkspaceState(ctx, a.stack, a.serial, data); err != nil {
		return v, err
	}
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE stack_pending_states SET state = $2 WHERE id = $1", id, v.ID)
		return fault.Wrap(err, "note state %s", v.ID)
	})
	return v, err
}
