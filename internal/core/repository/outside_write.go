package repository

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// outward lets fn change references of an outside repository. Each is moved at the forge first, from where it is here: a
// lost race is fault.Conflict, and then the mirror follows the forge, so that who tries again sees what is there now.
//
// Who moves it is written down before the forge has it. So when the server is killed, or the answer of the forge is lost,
// the fetch that finds it there records it as what it is.
func (s *Service) outward(ctx context.Context, r Repository, m mark, fn func(g *git.Git) error) error {
	release, err := s.use(ctx, r)
	if err != nil {
		return err
	}
	defer release()
	err = s.sent(ctx, r, m, fn)
	if fault.Is(err, fault.Conflict) {
		if err := s.look(ctx, r.ID, ask{forced: true}); err != nil {
			s.log.Info("look at a repository that has moved on at its forge", "repository", r.ID, "error", err)
		}
	}
	return err
}

func (s *Service) sent(ctx context.Context, r Repository, m mark, fn func(g *git.Git) error) error {
	leave, err := s.mirrors.remote.enter(ctx, r.ID)
	if err != nil {
		return err
	}
	defer leave()
	return s.locked(ctx, r.ID, func(g *git.Git) error {
		now, err := s.byID(ctx, r.ID)
		if err != nil {
			return err
		}
		if err := now.changeable(); err != nil {
			return err
		}
		begun := false
		err = fn(g.Leading(func(ctx context.Context, u git.Update) error {
			if err := s.push(ctx, now, m, u); err != nil {
				return err
			}
			begun = true // also when begin's answer is lost
			return s.begin(context.WithoutCancel(ctx), r.ID, m)
		}))
		if begun {
			late := s.finish(ctx, r.ID)
			if err == nil && m.platform {
				return late
			}
		}
		return err
	})
}

// outgoingFor is how long a push whose answer was lost is expected to show: later, somebody else has made the same one.
const outgoingFor = 24 * time.Hour

// push moves a reference at the forge.
func (s *Service) push(ctx context.Context, r Repository, m mark, u git.Update) error {
	remote, err := s.remoteOf(ctx, r)
	if err != nil {
		return err
	}
	if err := s.db.Write(ctx, func(tx *store.Tx) error { return addOutgoing(ctx, tx, r.ID, u.Ref, u.New, m, s.now()) }); err != nil {
		return fault.Wrap(err, "announce a push to the forge")
	}
	err = s.git.PushTo(ctx, s.folder(r.ID), remote, git.PushRequest{Updates: []git.Update{u}, Atomic: true})
	switch {
	case err == nil:
	case fault.Is(err, fault.Unavailable), fault.Is(err, fault.Canceled), fault.Is(err, fault.Internal):
		s.watches.soon(r.ID, r.Outside.Integration, s.now()) // it may have arrived
	default:
		ctx := context.WithoutCancel(ctx)
		if err := s.db.Write(ctx, func(tx *store.Tx) error { return dropOutgoing(ctx, tx, r.ID, u.Ref, u.New) }); err != nil {
			s.log.Error("forget a push that a forge has refused", "repository", r.ID, "error", err)
		}
	}
	return err
}
