package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const jobLook = "stack.look"

type lookArgs struct {
	Stack string `json:"stack"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a lookArgs) error {
		return s.reconcile(actor.AsSystem(ctx), a.Stack)
	})
	s.subscribeAfter()
	s.subscribeSchedules()
	s.subscribeSets()
	s.subscribeUploads()
	s.Ledger.Subscribe("stack.pushes", []string{"repository.pushed"}, s.pushed)
	s.Ledger.Subscribe("stack.ends", []string{"run.state-changed"}, s.ended)
}

// look asks for a look at the stack's branch, after the transaction.
func (s *Service) look(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{r.String()}, queue.InsertOptions{Unique: r.String()})
}

// pushed asks for a look at every stack that follows the branch.
func (s *Service) pushed(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var push struct{ Repository, Ref, Old, New string }
	if err := json.Unmarshal(e.Data, &push); err != nil {
		return fault.Wrap(err, "read push %s", e.ID)
	}
	if err := s.beside(ctx, tx, push.Repository, pushArgs{Ref: push.Ref, Old: push.Old, New: push.New, Pusher: e.Actor}); err != nil {
		return err
	}
	branch, ok := strings.CutPrefix(push.Ref, "refs/heads/")
	if !ok {
		return nil
	}
	rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks WHERE deleted = 0 AND repository = $1 AND branch = $2", push.Repository, branch)
	stacks, err := store.Collect(rows, err, scanStack)
	if err != nil {
		return fault.Wrap(err, "find the stacks of %s", push.Repository)
	}
	if err := s.lookAll(ctx, tx, stacks); err != nil {
		return err
	}
	return s.lookSets(ctx, tx, push.Repository, branch)
}

// ended frees the state lock that a step of an ended run still holds: its token died with it, so it can write no more.
func (s *Service) ended(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var change struct {
		To       string `json:"to"`
		Terminal bool   `json:"terminal"`
		Kind     string `json:"run_kind"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || change.Kind != RunKind {
		return nil
	}
	if change.To == queued { // it is retried
		return s.letIn(ctx, tx, e.Run)
	}
	if change.Terminal || change.To == ready {
		if _, err := tx.Exec(ctx, "UPDATE stack_external SET queued = 0 WHERE run = $1 AND queued = 1", e.Run); err != nil {
			return fault.Wrap(err, "end the waiting of run %s", e.Run)
		}
	}
	if change.To == ready || change.To == replanning {
		return s.gate(ctx, tx, e.Run)
	}
	if !change.Terminal {
		return nil
	}
	if change.To == failed {
		if err := s.forgetGivenInit(ctx, tx, e.Run); err != nil {
			return err
		}
	}
	if change.To == finished {
		if err := s.noteApplied(ctx, tx, e.Run); err != nil {
			return err
		}
		if err := s.noteSettled(ctx, tx, e.Run); err != nil {
			return err
		}
	}
	if err := s.Queue.Insert(ctx, tx, jobAfter, afterArgs{e.Run}, queue.InsertOptions{Unique: e.Run}); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT stack FROM stack_locks WHERE run = $1", e.Run)
	names, err := store.Collect(rows, err, func(row store.Row) (string, error) {
		var name string
		return name, row.Scan(&name)
	})
	if err != nil {
		return fault.Wrap(err, "find the locks of run %s", e.Run)
	}
	for _, name := range names {
		r, err := ref.Parse(name, "stack", ref.DefaultNamespace)
		if err != nil {
			return err
		}
		stack, err := getStack(ctx, tx, r, "")
		if err != nil {
			return err
		}
		if err := s.unlockStale(ctx, tx, stack); err != nil { // it may have been retried, and hold the lock anew
			return err
		}
	}
	return nil
}

// noteApplied keeps the commit up to which a stack is as its branch says, and the edit up to which it is as its document
// says. Who brought what is live is no author of what comes next; who edited after the run was made is.
func (s *Service) noteApplied(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.Runs.GetTx(ctx, tx, id)
	if err != nil {
		return err
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil || in.Type != Tracked || replanOf(&r).partial() || in.refreshOnly() {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE stacks SET applied = $2, applied_edit = $3 WHERE ref = $1 AND repository = $4",
		in.Stack, r.Source.Commit, in.Edit, r.Source.Repository)
	if err != nil {
		return fault.Wrap(err, "note what is applied of %s", in.Stack)
	}
	if err := s.noteUsed(ctx, tx, id, in); err != nil {
		return err
	}
	return noteContexts(ctx, tx, in.Stack, in.Given.Contexts)
}

// noteSettled lets others build on the state as a run that has finished found or left it, and tells of its outputs.
func (s *Service) noteSettled(ctx context.Context, tx *store.Tx, id string) error {
	r, err := s.Runs.GetTx(ctx, tx, id)
	if err != nil {
		return err
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil || in.Type == Proposed {
		return err
	}
	if in.Type == Drift || in.Type == Tracked && !replanOf(&r).partial() && !in.refreshOnly() {
		if err := s.noteDrift(ctx, tx, r, in); err != nil || in.Type == Drift {
			return err
		}
	}
	subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return err
	}
	if in.Type == Destroy {
		if err := s.lookAtSetOf(ctx, tx, r.Subject); err != nil {
			return err
		}
	}
	stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
	if err != nil {
		return err
	}
	before, err := settled(ctx, tx, subject)
	if err != nil {
		return err
	}
	after, err := currentState(ctx, tx, subject)
	if fault.Is(err, fault.NotFound) || err == nil && (after.ID == before.ID || stack.Space != r.Space) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE stack_states SET settled = 1 WHERE id = $1", after.ID); err != nil {
		return fault.Wrap(err, "settle state %s", after.ID)
	}
	return s.noteOutputs(ctx, tx, stack, before, after)
}

// reconcile starts a tracked run when the branch's head changes what the stack is made of. It is level-triggered:
// it compares the head with the commit that was last considered, and can be called at any time.
func (s *Service) reconcile(ctx context.Context, name string) error {
	r, err := ref.Parse(name, "stack", ref.DefaultNamespace)
	if err != nil {
		return err
	}
	var stack Stack
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) || stack.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	if stack.Remote() {
		return s.say(ctx, stack, nil)
	}
	if err := s.mayRead(ctx, stack); err != nil {
		return s.say(ctx, stack, err)
	}
	head, err := s.Repositories.Head(ctx, stack.Repository, stack.Branch)
	if err != nil {
		return s.say(ctx, stack, err)
	}
	if head == stack.Seen {
		return nil
	}
	if err := s.lookAbove(ctx, stack, head); err != nil {
		return err
	}
	touched, err := s.touched(ctx, stack, head)
	if err != nil {
		return err
	}
	author, err := s.Repositories.Pusher(ctx, stack.Repository, "refs/heads/"+stack.Branch, head)
	if err != nil {
		return s.say(ctx, stack, err)
	}
	ready, err := s.prepare(ctx, stack, head)
	if err != nil {
		return err
	}
	args, does := pushArgs{Ref: "refs/heads/" + stack.Branch, Old: stack.Seen, New: head, Pusher: author}, effect{Track: touched}
	if stack.Seen != "" { // else it is the document that has changed, and not the branch
		if does, err = s.effectOf(ctx, stack, args, nil, does); err != nil {
			return err
		}
	}
	if kind := does.kind(); kind != "" {
		if err := s.mayBegin(ctx, stack, kind, head, ""); fault.Is(err, fault.Denied) {
			does.Track, does.Propose, does.Message = false, false, fault.Message(err)
		} else if err != nil {
			return err
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		now, err := getStack(ctx, tx, r, tx.ForUpdate())
		if err != nil {
			return err
		}
		if now.Seen != stack.Seen || now.Deleted || !now.Updated.Equal(stack.Updated) {
			return s.look(ctx, tx, r) // it changed since it was read: look again
		}
		if does.Decision != "" {
			if err := s.saw(ctx, tx, r, head, ""); err != nil {
				return err
			}
			return s.takeEffect(ctx, tx, now, does, args, ready)
		}
		if does.Track {
			key := fmt.Sprintf("stack:%s:%s:%s:%d", r, head, stack.Seen, store.Micros(stack.Updated))
			begin := func() (run.Run, bool, error) { return s.start(ctx, tx, stack, Tracked, head, key, author, ready) }
			if stack.Seen == "" { // it is no push
				_, _, err = begin()
			} else if _, _, err = s.startOne(ctx, tx, stack, args, key, begin); errors.Is(err, errMost) {
				does.Message, err = fault.Message(err), nil
			}
			if err != nil {
				return err
			}
		}
		return s.saw(ctx, tx, r, head, does.Message)
	})
}

// saw notes the commit that was considered last, and shows what became of it.
func (s *Service) saw(ctx context.Context, tx *store.Tx, r ref.Entity, head, said string) error {
	if _, err := tx.Exec(ctx, "UPDATE stacks SET seen = $2 WHERE ref = $1", r.String(), head); err != nil {
		return fault.Wrap(err, "note a push to %s", r)
	}
	return s.sayTx(ctx, tx, r, said)
}

// touched tells whether what changed since the last considered commit lies in the stack's folder, or in what it watches.
func (s *Service) touched(ctx context.Context, stack Stack, head string) (bool, error) {
	if stack.Seen == "" || stack.Path == "" {
		return true, nil
	}
	p, err := s.pushedPaths(ctx, stack.Repository, stack.Seen, head)
	if err != nil {
		return false, err
	}
	if !p.touches(stack) {
		return false, nil
	}
	gone, err := s.goneFrom(ctx, stack, head)
	return !gone, err
}

// say shows on the stack's page why its branch can't be read; nil for nothing. The next push looks again.
func (s *Service) say(ctx context.Context, stack Stack, why error) error {
	if passing(why) {
		return why // the queue tries again
	}
	said := ""
	if why != nil {
		said = fault.Message(why)
	}
	return s.sayText(ctx, stack, said)
}

func (s *Service) sayText(ctx context.Context, stack Stack, said string) error {
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate()); err != nil {
			return ignoreGone(err)
		}
		return s.sayTx(ctx, tx, stack.Ref, said)
	})
}

// sayTx shows something on a stack's page, "" for nothing, unless that tells why a run keeps its state locked: that stays there.
// All that a page says goes this way, in a transaction that holds the stack's row.
func (s *Service) sayTx(ctx context.Context, tx *store.Tx, r ref.Entity, said string) error {
	if by, err := s.keeper(ctx, tx, r); err != nil || by != "" {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE stacks SET message = $2 WHERE ref = $1", r.String(), said)
	return fault.Wrap(err, "say something of %s", r)
}
