package proposal

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const jobFromPush = "proposal.from-push"

// fromPushArgs asks for the proposal that the options of a push wish for.
type fromPushArgs struct {
	Repository string            `json:"repository"` // id
	Branch     string            `json:"branch"`
	Options    map[string]string `json:"options"`
	Actor      string            `json:"actor"`
	Entry      string            `json:"entry"`
	At         time.Time         `json:"at"`
}

// wish asks for the proposal that a push wishes for, if it does.
func (s *Service) wish(ctx context.Context, tx *store.Tx, e ledger.Entry, push repository.Push, branch string) error {
	if !push.Proposes() || push.Platform || push.New == repository.Zero {
		return nil
	}
	return s.Queue.Insert(ctx, tx, jobFromPush, fromPushArgs{e.Refs[0], branch, push.Options, e.Actor, e.ID, e.Time}, queue.InsertOptions{Unique: e.ID})
}

// fromPush opens a proposal in the name of who pushed, with the rights that they have now. When one of the two branches is
// open, it is theirs already; when one was opened since the push, an earlier try did.
func (s *Service) fromPush(ctx context.Context, a fromPushArgs) error {
	r, err := s.Repositories.Platform().ByID(ctx, a.Repository)
	if err != nil {
		return quietly(err)
	}
	who, err := s.People.Principal(ctx, a.Actor)
	if err != nil {
		return quietly(err)
	}
	target := a.Options[repository.OptionTarget]
	if target == "" {
		target = r.DefaultBranch
	}
	done := false
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		n := 0
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM proposals WHERE repository = $1 AND source = $2 AND target = $3 AND (state = 'open' OR created >= $4)",
			r.ID, a.Branch, target, store.Micros(a.At)).Scan(&n)
		done = n > 0
		return err
	})
	if err != nil || done {
		return err
	}
	_, draft := a.Options[repository.OptionDraft]
	_, whenGreen := a.Options[repository.OptionWhenGreen]
	ctx = ledger.WithCause(actor.With(ctx, who), a.Entry)
	_, err = s.Open(ctx, NewProposal{
		Repository: r.FullName(), Source: a.Branch, Target: target, Title: a.Options[repository.OptionTitle], Draft: draft, WhenGreen: whenGreen,
	})
	if err != nil {
		s.Log.Info("open the proposal that a push wished for", "repository", r.FullName(), "branch", a.Branch, "target", target, "error", err)
	}
	return quietly(err)
}

// quietly drops an error that trying again would not mend.
func quietly(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied, fault.Invalid, fault.Conflict, fault.TooLarge, fault.Unauthenticated:
		return nil
	}
	return err
}
