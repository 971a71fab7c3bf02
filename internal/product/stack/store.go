package stack

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations gives the tables of this room.
func Migrations() store.Migrations {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return store.Migrations{Room: "stack", FS: files}
}

const stackColumns = "ref, space, repository, branch, path, spec, seen, deleted, updated, applied, edit, applied_edit, editors, scheduled, created, overdue"

func scanStack(row store.Row) (Stack, error) {
	var s Stack
	var name, editors, overdue string
	var deleted int
	var updated, scheduled, created int64
	if err := row.Scan(&name, &s.Space, &s.Repository, &s.Branch, &s.Path, &s.text, &s.Seen, &deleted, &updated, &s.Applied, &s.Edit, &s.AppliedEdit, &editors, &scheduled, &created, &overdue); err != nil {
		return Stack{}, err
	}
	s.Deleted, s.Updated, s.Scheduled, s.Created = deleted == 1, store.FromMicros(updated), store.FromMicros(scheduled), store.FromMicros(created)
	var err error
	if s.Ref, err = ref.Parse(name, "stack", ref.DefaultNamespace); err != nil {
		return Stack{}, err
	}
	if err := json.Unmarshal([]byte(editors), &s.Editors); err != nil {
		return Stack{}, err
	}
	if overdue != "" {
		if err := json.Unmarshal([]byte(overdue), &s.Overdue); err != nil {
			return Stack{}, err
		}
	}
	return s, json.Unmarshal([]byte(s.text), &s.Spec)
}

func getStack(ctx context.Context, tx *store.Tx, r ref.Entity, lock string) (Stack, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+stackColumns+" FROM stacks WHERE ref = $1"+lock, r.String()), scanStack, "stack %s", r)
}

// stackName gives NAMESPACE/NAME of a stack's reference.
func stackName(reference string) string {
	_, name, _ := strings.Cut(reference, ":")
	return name
}

// StateVersion is one version of a stack's state.
type StateVersion struct {
	ID        string
	Serial    int64 // as it was declared; at most that in the state
	Lineage   string
	Digest    string // of the blob
	Size      int64  // bytes
	Run       string // run whose step wrote it; "" when a person did
	Actor     string
	Outputs   map[string]Value
	Resources int
	Created   int64 // microseconds

	inside int64  // the serial in the state
	delta  *delta // of one that is to be written
}

// Value is one output of a stack.
type Value struct {
	Value     json.RawMessage `json:"value,omitempty"` // absent when sensitive and the reader may not see it
	Type      json.RawMessage `json:"type,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

const stateColumns = "id, serial, lineage, digest, size, run, actor, outputs, resources, created, inner_serial"

func scanState(row store.Row) (StateVersion, error) {
	var v StateVersion
	var outputs string
	err := row.Scan(&v.ID, &v.Serial, &v.Lineage, &v.Digest, &v.Size, &v.Run, &v.Actor, &outputs, &v.Resources, &v.Created, &v.inside)
	if err != nil {
		return StateVersion{}, err
	}
	return v, json.Unmarshal([]byte(outputs), &v.Outputs)
}

// currentState gives the newest version of a stack's state, NotFound when there is none.
func currentState(ctx context.Context, tx *store.Tx, stack ref.Entity) (StateVersion, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 ORDER BY id DESC LIMIT 1",
		stack.String()), scanState, "state of %s", stack)
}

// newest is currentState in a transaction of its own; the zero version when there is none.
func (s *Service) newest(ctx context.Context, stack ref.Entity) (v StateVersion, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = currentState(ctx, tx, stack)
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return StateVersion{}, nil
	}
	return v, err
}

// getState gives one version of a stack's state.
func getState(ctx context.Context, tx *store.Tx, stack ref.Entity, id string) (StateVersion, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 AND id = $2",
		stack.String(), id), scanState, "state %s of %s", id, stack)
}

type lockRow struct {
	ID, Info, Run, Actor string
	Created              time.Time
}

func getLock(ctx context.Context, tx *store.Tx, stack ref.Entity, lock string) (lockRow, error) {
	return store.One(tx.QueryRow(ctx, "SELECT lock_id, info, run, actor, created FROM stack_locks WHERE stack = $1"+lock, stack.String()),
		func(row store.Row) (lockRow, error) {
			var l lockRow
			return l, row.Scan(&l.ID, &l.Info, &l.Run, &l.Actor, &l.Created)
		}, "lock of %s", stack)
}
