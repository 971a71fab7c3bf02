package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// mayForceState lets a state be replaced by one with a lower serial, or of another lineage.
const mayForceState = "stack:state-force"

// reasonMost bounds what a person says of a change, in bytes.
const reasonMost = 1000

func checkReason(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if len(reason) > reasonMost || clean(reason) != reason {
		return "", fault.Errorf(fault.Invalid, "the reason is text of at most %d bytes", reasonMost)
	}
	return reason, nil
}

// alone does something with the state of a stack that neither an engine nor a run uses, nor gets to use before the
// transaction ends. Conflict, with who it is, when one does. A lock that a dead run has left is freed.
func (s *Service) alone(ctx context.Context, tx *store.Tx, stack Stack, do func(lock string) error) error {
	if _, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate()); err != nil {
		return err
	}
	holder, err := s.Runs.HolderTx(ctx, tx, LockName(stack.Ref))
	if err != nil {
		return fault.Wrap(err, "look who holds %s", stack.Ref)
	}
	if ref.IsID(holder, ref.Run) {
		return fault.Errorf(fault.Conflict, "run %s holds %s; wait until it has ended, or discard or cancel it", holder, stack.Ref)
	}
	if err := s.unlockStale(ctx, tx, stack); err != nil {
		return err
	}
	p, id := actor.From(ctx), "own:"+rand.Text()
	n, err := tx.Exec(ctx, `INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,'{}','',$3,$4) ON CONFLICT (stack) DO NOTHING`,
		stack.Ref.String(), id, p.ID, store.Micros(s.Now()))
	if err != nil {
		return fault.Wrap(err, "lock %s", stack.Ref)
	}
	if n == 0 {
		l, err := getLock(ctx, tx, stack.Ref, "")
		if err != nil {
			return err
		}
		return lockedBy(stack.Ref, l)
	}
	if err := do(id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM stack_locks WHERE stack = $1 AND lock_id = $2", stack.Ref.String(), id)
	return fault.Wrap(err, "unlock %s", stack.Ref)
}

// lockedBy tells a person who holds the lock of a state.
func lockedBy(r ref.Entity, l lockRow) error {
	var info struct{ Who, Operation, Info string }
	_ = json.Unmarshal([]byte(l.Info), &info) // what an engine said of itself; without it the lock is told by its id
	who := l.ID
	for _, part := range []string{info.Who, info.Operation, info.Info} {
		if part != "" {
			who += ", " + cut(part, 200)
		}
	}
	return fault.Errorf(fault.Conflict, "the state of %s is locked since %s (%s); wait, or free the lock when its holder is surely gone", r, l.Created.UTC().Format(time.RFC3339), who)
}

// LockByHand takes the state's lock as a person, with a reason that is shown to whoever is held back.
// Conflict when the state is locked, or a run holds the stack. Permission: stack:state in the stack's space.
func (s *Service) LockByHand(ctx context.Context, r ref.Entity, reason string) error {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return err
	}
	if reason, err = checkReason(reason); err != nil {
		return err
	}
	p := actor.From(ctx)
	name := p.Name
	if name == "" {
		name = p.Ref.Name
	}
	now := s.Now()
	id := handLock + strings.ToLower(rand.Text())
	info, err := json.Marshal(map[string]string{
		"ID": id, "Operation": "by hand", "Info": reason, "Who": cut(name, 200), "Version": "", "Path": r.String(), "Created": now.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if kept, err := s.takeKept(ctx, tx, stack, id, string(info)); kept || err != nil {
			return fault.Wrap(err, "lock %s", r)
		}
		return s.alone(ctx, tx, stack, func(own string) error {
			_, err := tx.Exec(ctx, "UPDATE stack_locks SET lock_id = $3, info = $4, run = $5 WHERE stack = $1 AND lock_id = $2", r.String(), own, id, string(info), p.Run)
			if err != nil {
				return fault.Wrap(err, "lock %s", r)
			}
			if err := s.holdByHand(ctx, tx, stack, id); err != nil {
				return err
			}
			return s.note(ctx, tx, stack, "stack.state-locked", p.Run, map[string]any{"lock": id, "reason": reason})
		})
	})
}

// UnlockOwn frees the state's lock when the caller took it; Conflict when somebody else did. Freeing a lock that is not
// held is done at once. Permission: stack:state in the stack's space.
func (s *Service) UnlockOwn(ctx context.Context, r ref.Entity) error {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := s.unlockStale(ctx, tx, stack); err != nil {
			return err
		}
		l, err := getLock(ctx, tx, r, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if l.Actor != actor.From(ctx).ID || l.Run != "" {
			return lockedBy(r, l)
		}
		return s.unlock(ctx, tx, stack, l, false)
	})
}

// rewrite gives a state with another serial, and with another lineage unless that is "". Everything else stays.
func rewrite(data []byte, serial int64, lineage string) ([]byte, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the state is not JSON: %w", err)
	}
	whole["serial"] = json.RawMessage(fmt.Sprint(serial))
	if lineage != "" {
		whole["lineage"] = json.RawMessage(quote(lineage))
	}
	return encode(whole)
}

// encode writes a state as engines do.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return out.Bytes(), err
}

// Rollback makes the content of an earlier version the newest version: with the serial after the newest one, so that
// engines take it. What was built since stays where it is; the next plan tells what differs. Conflict for the newest
// version itself, while the state is locked, or while a run holds the stack.
// Permission: stack:state in the stack's space.
func (s *Service) Rollback(ctx context.Context, r ref.Entity, want, reason string) (StateVersion, error) {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return StateVersion{}, err
	}
	if reason, err = checkReason(reason); err != nil {
		return StateVersion{}, err
	}
	var old, last StateVersion
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if old, err = findState(ctx, tx, r, want); err != nil {
			return err
		}
		last, err = currentState(ctx, tx, r)
		return err
	})
	if err != nil {
		return old, err
	}
	if old.ID == last.ID {
		return old, fault.Errorf(fault.Conflict, "serial %d is the newest version already", old.Serial)
	}
	if old.Lineage != last.Lineage {
		return old, fault.Errorf(fault.Conflict, "serial %d is of lineage %s, and the newest version of %s; pull it, and push it with --force", old.Serial, old.Lineage, last.Lineage)
	}
	done, err := s.reading(ctx, old.Size)
	if err != nil {
		return old, err
	}
	data, err := s.openState(ctx, old)
	done()
	if err != nil {
		return old, err
	}
	if data, err = rewrite(data, last.next(), ""); err != nil {
		return old, err
	}
	return s.replace(ctx, stack, last, data, "stack.state-rolled-back", map[string]any{"to": old.ID, "to_serial": old.Serial, "reason": reason})
}

// replace adds a version whose data a person chose, in place of the newest one that they looked at.
func (s *Service) replace(ctx context.Context, stack Stack, seen StateVersion, data []byte, kind string, more map[string]any) (StateVersion, error) {
	v, err := s.keep(ctx, stack.Ref, data)
	if err != nil {
		return v, err
	}
	p := actor.From(ctx)
	v.Run, v.Actor = p.Run, p.ID
	err = s.DB.Write(long(ctx, v.delta), func(tx *store.Tx) error {
		return s.alone(ctx, tx, stack, func(string) error {
			last, err := currentState(ctx, tx, stack.Ref)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if last.ID != seen.ID {
				return fault.Errorf(fault.Conflict, "somebody wrote serial %d of %s meanwhile; look at it first", last.Serial, stack.Ref)
			}
			v, err = s.insertState(ctx, tx, stack, last, v, data, kind, more)
			return err
		})
	})
	return v, err
}

// Import takes up a state from outside as the newest version. Its serial is above the newest one's and its lineage the
// same, otherwise Conflict; force takes it anyway, with the serial after the newest one. What is pushed again unchanged
// is done at once. Conflict while the state is locked, or while a run holds the stack; Invalid for what is no state; TooLarge.
// Permission: stack:state in the stack's space; force: stack:state-force too.
func (s *Service) Import(ctx context.Context, r ref.Entity, data []byte, force bool) (StateVersion, error) {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return StateVersion{}, err
	}
	if force {
		if err := s.Access.AuthorizeObject(ctx, mayForceState, stack.Space, stackName(r.String())); err != nil {
			return StateVersion{}, err
		}
	}
	if len(data) > StateLimit {
		return StateVersion{}, fault.Errorf(fault.TooLarge, "the state is larger than %d bytes", StateLimit)
	}
	f, err := readState(data)
	if err != nil {
		return StateVersion{}, err
	}
	last, err := s.newest(ctx, r)
	if err != nil {
		return last, err
	}
	more := map[string]any{"forced": force}
	if last.ID != "" {
		why := ""
		switch {
		case last.Lineage != f.Lineage:
			why = fmt.Sprintf("this state is of lineage %s, the stack's is %s; it belongs to something else", f.Lineage, last.Lineage)
			more["lineage_before"] = last.Lineage
		case f.Serial < last.inside:
			why = fmt.Sprintf("this state has serial %d, the stack's newest has %d; pull it first", f.Serial, last.inside)
		case f.Serial == last.inside:
			if err := s.sameState(ctx, last, last.inside, data); err == nil {
				return last, nil // its answer was lost
			} else if !fault.Is(err, fault.Conflict) {
				return last, err
			}
			why = fmt.Sprintf("the stack has another state with serial %d; pull it first", last.inside)
		}
		if why != "" && !force {
			return last, fault.Errorf(fault.Conflict, "%s, or push it with --force (%s), which makes it the newest version", why, mayForceState)
		}
		if f.Serial < last.next() {
			if data, err = rewrite(data, last.next(), ""); err != nil {
				return last, err
			}
		}
	}
	return s.replace(ctx, stack, last, data, "stack.state-imported", more)
}

// StateOf gives one version of a stack's state as it was written: by its id, its serial, or "latest".
// Permission: stack:state or stack:state-read in the stack's space.
func (s *Service) StateOf(ctx context.Context, r ref.Entity, want string) (v StateVersion, data []byte, err error) {
	if _, err := s.authorizeState(ctx, r, mayReadState); err != nil {
		return v, nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = findState(ctx, tx, r, want)
		return err
	})
	if err != nil {
		return v, nil, err
	}
	data, err = s.openState(ctx, v)
	return v, data, err
}
