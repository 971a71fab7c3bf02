package stack

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// StateLimit bounds one version of a state, in bytes.
const StateLimit = 256 << 20

// LockedError says that somebody else holds the state's lock; Info is theirs, as the engine wrote it.
type LockedError struct{ Info []byte }

func (e *LockedError) Error() string { return "the state is locked: " + string(e.Info) }

// The rights on states: to read and lock them, which is all that a plan needs, and to write them too. A step locks only with a
// scope for that: what plans and applies nothing takes no lock.
const (
	mayReadState  = "stack:state-read"
	mayLockState  = "stack:state-lock"
	mayWriteState = "stack:state"
)

// authorizeState lets a person with the right in the stack's space through, and a step with that scope for this stack.
// Who may write a state may read it. Whoever may not see the stack is refused as if it were not there, and what is not there is
// refused: an engine takes a state that is not found for an empty one, and would build everything anew.
func (s *Service) authorizeState(ctx context.Context, r ref.Entity, right string) (Stack, error) {
	if actor.From(ctx).Kind == actor.Anonymous {
		return Stack{}, fault.Errorf(fault.Unauthenticated, "sign in to use the state of a stack")
	}
	var stack Stack
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		stack, err = getStack(ctx, tx, r, "")
		return err
	})
	there := err == nil
	if there {
		err = s.Access.AuthorizeObject(ctx, mayWriteState, stack.Space, stackName(r.String()))
		if right == mayReadState && fault.Is(err, fault.Denied) {
			err = s.Access.AuthorizeObject(ctx, mayReadState, stack.Space, stackName(r.String()))
		}
	}
	hidden := fault.Is(err, fault.NotFound) || fault.Is(err, fault.Denied)
	if hidden && (!there || !s.Access.May(ctx, "stack:read", stack.Space)) {
		return stack, fault.Errorf(fault.Denied, "there is no %s whose state you may use; apply its document, or ask for %s in its space", r, right)
	}
	return stack, err
}

// authorizeLock is authorizeState for who takes or frees the lock of a state.
func (s *Service) authorizeLock(ctx context.Context, r ref.Entity) (Stack, error) {
	stack, err := s.authorizeState(ctx, r, mayReadState)
	if err != nil || actor.From(ctx).Kind != actor.Workload {
		return stack, err
	}
	for _, right := range []string{mayWriteState, mayLockState} {
		if err = s.Access.AuthorizeObject(ctx, right, stack.Space, stackName(r.String())); !fault.Is(err, fault.Denied) {
			return stack, err
		}
	}
	return stack, fault.Errorf(fault.Denied, "this step reads the state and locks it not, since its run applies nothing; say -lock=false")
}

// MayWriteState tells whether the caller may write the state of a stack, before all of it is read.
// Permission: stack:state in the stack's space; otherwise Denied.
func (s *Service) MayWriteState(ctx context.Context, r ref.Entity) error {
	_, err := s.authorizeState(ctx, r, mayWriteState)
	return err
}

// State gives the newest version of a stack's state. NotFound when it has none.
// Permission: stack:state or stack:state-read in the stack's space.
func (s *Service) State(ctx context.Context, r ref.Entity) (StateVersion, []byte, error) {
	if _, err := s.authorizeState(ctx, r, mayReadState); err != nil {
		return StateVersion{}, nil, err
	}
	var v StateVersion
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = currentState(ctx, tx, r)
		return err
	})
	if err != nil {
		return v, nil, err
	}
	data, err := s.openState(ctx, v)
	return v, data, err
}

func (s *Service) openState(ctx context.Context, v StateVersion) ([]byte, error) {
	f, _, err := s.Blob.Open(ctx, v.Digest)
	if err != nil {
		return nil, fault.Wrap(err, "open state %s", v.ID)
	}
	defer f.Close()
	sealed, err := io.ReadAll(io.LimitReader(f, 2*StateLimit))
	if err != nil {
		return nil, fault.Wrap(err, "read state %s", v.ID)
	}
	data, err := s.Seal.Open(sealed)
	return data, fault.Wrap(err, "unseal state %s", v.ID)
}

// WriteState adds a version. lockID is what the engine says it holds; contentMD5 may be empty.
// Conflict for an older serial or another lineage; a *LockedError when somebody else holds the lock; TooLarge.
// Permission: stack:state in the stack's space.
func (s *Service) WriteState(ctx context.Context, r ref.Entity, lockID, contentMD5 string, data []byte) error {
	if err := s.MayWriteState(ctx, r); err != nil {
		return err
	}
	if sum := md5.Sum(data); contentMD5 != "" && contentMD5 != base64.StdEncoding.EncodeToString(sum[:]) {
		return fault.Errorf(fault.Invalid, "the state came with another Content-MD5 than it has; send it again")
	}
	return s.writeState(ctx, r, lockID, nil, data)
}

// writeState adds a version, with a serial of its own where one is given.
func (s *Service) writeState(ctx context.Context, r ref.Entity, lockID string, serial *int64, data []byte) error {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return err
	}
	v, err := s.keep(ctx, r, data)
	if err != nil {
		return err
	}
	if serial != nil {
		v.Serial = *serial
	}
	p := actor.From(ctx)
	v.Run, v.Actor = p.Run, p.ID
	return s.DB.Write(long(ctx, v.delta), func(tx *store.Tx) error { return s.addState(ctx, tx, stack, lockID, v, data) })
}

// keep reads a state, and stores it sealed; it is nobody's yet.
func (s *Service) keep(ctx context.Context, r ref.Entity, data []byte) (StateVersion, error) {
	last, err := s.newest(ctx, r)
	if err != nil {
		return StateVersion{}, err
	}
	done, err := s.reading(ctx, last.Size)
	if err != nil {
		return StateVersion{}, err
	}
	defer done()
	return s.store(ctx, r, last, data)
}

// store is keep of what comes after a version, for a caller who may read that.
func (s *Service) store(ctx context.Context, r ref.Entity, last StateVersion, data []byte) (StateVersion, error) {
	if len(data) > StateLimit {
		return StateVersion{}, fault.Errorf(fault.TooLarge, "the state is larger than %d bytes", StateLimit)
	}
	f, err := readState(data)
	if err != nil {
		return StateVersion{}, err
	}
	changes, err := s.deltaTo(ctx, last, f)
	if err != nil {
		return StateVersion{}, err
	}
	sealed, err := s.Seal.Seal(data)
	if err != nil {
		return StateVersion{}, fault.Wrap(err, "seal state of %s", r)
	}
	digest, _, err := s.Blob.Put(ctx, bytes.NewReader(sealed), 2*StateLimit)
	if err != nil {
		return StateVersion{}, fault.Wrap(err, "store state of %s", r)
	}
	v := StateVersion{Serial: f.Serial, inside: f.Serial, Lineage: f.Lineage, Digest: digest, Size: int64(len(data)), Outputs: f.Outputs, delta: changes}
	for _, res := range f.Resources {
		v.Resources += len(res.Instances)
	}
	return v, nil
}

// ActionAdopt names the platform step that takes up the state that an engine could not write.
const ActionAdopt = "stack.adopt"

// AdoptInput is what that step is told.
type AdoptInput struct {
	Run   string `json:"run"`
	State string `json:"state"` // digest, sealed as core/run seals artifacts
}

// adopt writes the state of a run's failed apply, under the same rules as the engine would have. The lock that the apply
// left is freed before; somebody else's is waited for. Doing it twice changes nothing.
func (s *Service) adopt(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	var in AdoptInput
	if err := json.Unmarshal(l.Job.Input, &in); err != nil {
		return worker.Result{}, fault.Wrap(err, "read the step's input")
	}
	data, err := s.readBlob(ctx, in.State)
	if err != nil {
		return worker.Result{}, fault.Wrap(err, "read the state")
	}
	var r run.Run
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = s.Runs.GetTx(ctx, tx, in.Run)
		return err
	})
	if err != nil {
		return worker.Result{}, err
	}
	subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return worker.Result{}, err
	}
	v, err := s.keep(ctx, subject, data)
	if err != nil {
		return worker.Result{}, err
	}
	v.Run, v.Actor = r.ID, "system"
	err = s.DB.Write(long(ctx, v.delta), func(tx *store.Tx) error {
		stack, err := getStack(ctx, tx, subject, tx.ForUpdate())
		if err != nil {
			return err
		}
		if err := stack.standsIn(r.Space); err != nil {
			return err
		}
		if err := s.unlockStale(ctx, tx, stack); err != nil {
			return err
		}
		return s.addState(ctx, tx, stack, "", v, data)
	})
	if held := (*LockedError)(nil); errors.As(err, &held) {
		return worker.Result{}, fault.Errorf(fault.Unavailable, "somebody else holds the lock of the state: %s", held.Info)
	}
	if err != nil {
		return worker.Result{}, err
	}
	fmt.Fprintf(log, "the state with serial %d and %d resources is taken up\n", v.Serial, v.Resources)
	return worker.Result{Message: fmt.Sprintf("serial %d", v.Serial)}, nil
}

func (s *Service) addState(ctx context.Context, tx *store.Tx, stack Stack, lockID string, v StateVersion, data []byte) error {
	if _, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate()); err != nil {
		return err
	}
	if err := s.heldBy(ctx, tx, stack.Ref, lockID); err != nil {
		return err
	}
	last, err := currentState(ctx, tx, stack.Ref)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if last.ID != "" {
		if done, err := s.follows(ctx, last, v, data); done || err != nil {
			return err
		}
	}
	_, err = s.insertState(ctx, tx, stack, last, v, data, "stack.state-written", nil)
	return err
}

// insertState adds a version after the newest one, with what it changes in the table of resources, and says so in the ledger.
func (s *Service) insertState(ctx context.Context, tx *store.Tx, stack Stack, last, v StateVersion, data []byte, kind string, more map[string]any) (StateVersion, error) {
	outputs, err := json.Marshal(shown(v.Outputs))
	if err != nil {
		return v, err
	}
	if v.delta == nil || v.delta.base != last.ID { // another came in between
		f, err := readState(data)
		if err != nil {
			return v, err
		}
		if v.delta, err = s.deltaTo(ctx, last, f); err != nil {
			return v, err
		}
	}
	now := s.Now()
	v.ID, v.Created = ref.NewID(ref.State, now), store.Micros(now)
	_, err = tx.Exec(ctx, `INSERT INTO stack_states (id, stack, serial, lineage, digest, size, run, actor, outputs, resources, created, settled, inner_serial)
 VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)`, v.ID, stack.Ref.String(), v.Serial, v.Lineage, v.Digest, v.Size, v.Run, v.Actor,
		string(outputs), v.Resources, v.Created, btoi(v.Run == ""), v.inside)
	if err != nil {
		return v, fault.Wrap(err, "record state of %s", stack.Ref)
	}
	if err := s.index(ctx, tx, stack.Ref, v, v.delta); err != nil {
		return v, err
	}
	about := map[string]any{"serial": v.Serial, "resources": v.Resources, "state": v.ID}
	for name, value := range more {
		about[name] = value
	}
	if err := s.note(ctx, tx, stack, kind, v.Run, about); err != nil {
		return v, err
	}
	if v.Run != "" { // they count when the run has finished
		return v, nil
	}
	return v, s.noteOutputs(ctx, tx, stack, last, v)
}

// noteOutputs tells those who use a stack's outputs that they may be others: values that are sensitive are not compared.
func (s *Service) noteOutputs(ctx context.Context, tx *store.Tx, stack Stack, before, after StateVersion) error {
	sensitive := false
	for _, o := range after.Outputs {
		sensitive = sensitive || o.Sensitive
	}
	if before.ID != "" && !sensitive && sameOutputs(shown(after.Outputs), shown(before.Outputs)) {
		return nil
	}
	return s.note(ctx, tx, stack, "stack.outputs-changed", after.Run, map[string]any{"serial": after.Serial, "outputs": len(after.Outputs)})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sameOutputs(a, b map[string]Value) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// settled gives the newest state that others may build on: one that a person wrote, or that was the newest when a run
// finished. What a run has left half done is none. The zero version when there is none.
func settled(ctx context.Context, tx *store.Tx, r ref.Entity) (StateVersion, error) {
	v, err := store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 AND settled = 1 ORDER BY id DESC LIMIT 1", r.String()), scanState, "settled state of %s", r)
	if fault.Is(err, fault.NotFound) {
		return StateVersion{}, nil
	}
	return v, err
}

// sameState gives Conflict for a state of a serial that the newest version has, too, unless it is that version.
func (s *Service) sameState(ctx context.Context, last StateVersion, serial int64, data []byte) error {
	have, err := s.openState(ctx, last)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, data) {
		return fault.Errorf(fault.Conflict, "the stack has another state with serial %d; pull it first", serial)
	}
	return nil
}

// shown takes the values of sensitive outputs out: they stay in the sealed state alone.
func shown(outputs map[string]Value) map[string]Value {
	out := map[string]Value{}
	for name, v := range outputs {
		if v.Sensitive {
			v.Value = nil
		}
		out[name] = v
	}
	return out
}

func (s *Service) heldBy(ctx context.Context, tx *store.Tx, r ref.Entity, lockID string) error {
	l, err := getLock(ctx, tx, r, "")
	switch {
	case fault.Is(err, fault.NotFound):
		if lockID == "" {
			return nil
		}
		return fault.Errorf(fault.Conflict, "lock %s of %s is no longer held; nothing was written", lockID, r)
	case err != nil:
		return err
	case l.ID != lockID:
		return &LockedError{[]byte(l.Info)}
	}
	return nil
}

// lockInfoLimit bounds what an engine says of itself when it locks, in bytes.
const lockInfoLimit = 64 << 10

// Lock takes the state's lock. info is the engine's LockInfo as JSON. Taking the same lock again is done at once.
// A *LockedError when somebody else holds it. Permission: stack:state or stack:state-read in the stack's space; a step of a run
// takes it only where that applies something.
func (s *Service) Lock(ctx context.Context, r ref.Entity, info []byte) error {
	stack, err := s.authorizeLock(ctx, r)
	if err != nil {
		return err
	}
	id, err := lockID(info)
	if err == nil && strings.HasPrefix(id, handLock) {
		err = fault.Errorf(fault.Denied, "a lock whose id begins with %s is taken by hand: roadbed state lock", handLock)
	}
	if err != nil {
		return err
	}
	return s.lock(ctx, stack, id, info)
}

func (s *Service) lock(ctx context.Context, stack Stack, id string, info []byte) error {
	p, r := actor.From(ctx), stack.Ref
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		if err := s.unlockStale(ctx, tx, stack); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `INSERT INTO stack_locks (stack, lock_id, info, run, actor, created) VALUES ($1,$2,$3,$4,$5,$6)
 ON CONFLICT (stack) DO NOTHING`, r.String(), id, string(info), p.Run, p.ID, store.Micros(s.Now()))
		if err != nil {
			return fault.Wrap(err, "lock %s", r)
		}
		if n == 0 {
			return s.heldBy(ctx, tx, r, id)
		}
		if err := s.holdByHand(ctx, tx, stack, id); err != nil {
			return err
		}
		return s.note(ctx, tx, stack, "stack.state-locked", p.Run, map[string]any{"lock": id})
	})
}

// unlockStale frees a lock whose holder can write no more: the attempt of a step that took it has ended, with its
// worker perhaps, and its token with it.
func (s *Service) unlockStale(ctx context.Context, tx *store.Tx, stack Stack) error {
	l, err := getLock(ctx, tx, stack.Ref, tx.ForUpdate())
	if fault.Is(err, fault.NotFound) || (err == nil && l.Run == "") {
		return nil
	}
	if err != nil {
		return err
	}
	steps, err := s.Runs.StepsTx(ctx, tx, l.Run)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if step.State == run.StepLeased && !step.Started.After(l.Created) {
			return nil
		}
	}
	return s.unlock(ctx, tx, stack, l, true)
}

func lockID(info []byte) (string, error) {
	if len(info) > lockInfoLimit {
		return "", fault.Errorf(fault.TooLarge, "the lock's information is larger than %d bytes", lockInfoLimit)
	}
	var l struct{ ID string }
	if err := json.Unmarshal(info, &l); err != nil || l.ID == "" || len(l.ID) > 200 {
		return "", fault.Errorf(fault.Invalid, "the lock's information must be JSON with an ID")
	}
	return l.ID, nil
}

// Unlock frees the state's lock, of the id that info names, or any for empty info. It needs stack:unlock with force, for a lock that
// somebody else took, and for one that holds up runs where info does not name it. A step frees what its run took. Freeing a lock
// that is not held is done at once.
// Permission: stack:state or stack:state-read in the stack's space.
func (s *Service) Unlock(ctx context.Context, r ref.Entity, info []byte, force bool) error {
	stack, err := s.authorizeLock(ctx, r)
	if err != nil {
		return err
	}
	id := ""
	switch {
	case force:
		err = s.Access.Authorize(ctx, "stack:unlock", stack.Space)
	case len(bytes.TrimSpace(info)) > 0:
		id, err = lockID(info)
	}
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		l, err := getLock(ctx, tx, r, tx.ForUpdate())
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if id != "" && l.ID != id {
			return &LockedError{[]byte(l.Info)}
		}
		other := !l.of(actor.From(ctx)) || id == "" && strings.HasPrefix(l.ID, handLock)
		if other && !force {
			if err := s.Access.Authorize(ctx, "stack:unlock", stack.Space); err != nil {
				return fault.Wrap(err, "somebody else holds the lock of %s", r)
			}
		}
		return s.unlock(ctx, tx, stack, l, force || other)
	})
}

// of tells whether somebody took a lock, or a step of the same run did.
func (l lockRow) of(p actor.Principal) bool {
	if p.Run != "" {
		return l.Run == p.Run
	}
	return l.Run == "" && l.Actor == p.ID
}

func (s *Service) unlock(ctx context.Context, tx *store.Tx, stack Stack, l lockRow, force bool) error {
	if _, err := tx.Exec(ctx, "DELETE FROM stack_locks WHERE stack = $1", stack.Ref.String()); err != nil {
		return fault.Wrap(err, "unlock %s", stack.Ref)
	}
	if err := s.freeByHand(ctx, tx, stack, l.ID); err != nil {
		return err
	}
	if err := s.keepOn(ctx, tx, stack); err != nil {
		return err
	}
	if l.Run == "" { // the set of the stack may have wanted to take it away
		if err := s.lookAtSetOf(ctx, tx, stack.Ref.String()); err != nil {
			return err
		}
	}
	return s.note(ctx, tx, stack, "stack.state-unlocked", l.Run, map[string]any{"lock": l.ID, "forced": force})
}

func (s *Service) note(ctx context.Context, tx *store.Tx, stack Stack, kind, run string, data map[string]any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var refs []string
	if stack.Spec.Component != "" {
		if c, err := ref.Parse(stack.Spec.Component, "component", stack.Ref.Namespace); err == nil {
			refs = append(refs, c.String())
		}
	}
	_, err = s.Ledger.Append(ctx, tx, ledger.Entry{Space: stack.Space, Type: kind, Subject: stack.Ref.String(), Refs: refs, Run: run, Data: raw})
	return fault.Wrap(err, "note %s of %s", kind, stack.Ref)
}

// Outputs gives the outputs of a state of a stack to another room, sensitive values included, with the id of that
// state: the one that is wanted, or the newest for "". The id is "" while the stack has no state; NotFound for another
// that it does not have. What a run has written counts when that has finished. Unauthorised: only rooms that act for the stack's document call it.
func (s *Service) Outputs(ctx context.Context, r ref.Entity, want string) (outputs map[string]Value, version string, err error) {
	var v StateVersion
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if want == "" {
			v, err = settled(ctx, tx, r)
		} else {
			v, err = getState(ctx, tx, r, want)
		}
		return err
	})
	if err != nil || v.ID == "" {
		return nil, "", err
	}
	for _, value := range v.Outputs {
		if !value.Sensitive {
			continue
		}
		data, err := s.openState(ctx, v)
		if err != nil {
			return nil, "", err
		}
		f, err := readState(data)
		if err != nil {
			return nil, "", fault.Wrap(err, "state %s", v.ID)
		}
		return f.Outputs, v.ID, nil
	}
	return v.Outputs, v.ID, nil
}
