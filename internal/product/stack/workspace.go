package stack

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Workspace is a stack as the clients of Terraform's remote protocol know it: by an id that tells nothing, and by a name
// within its space.
type Workspace struct {
	Stack
	ID          string // ws_…
	Name        string
	Description string
	Tags        []string
	Labels      map[string]string // those without a prefix
	Created     time.Time
}

const workspaceID = "ws"

// HomeNamespace gives the namespace of the catalog in which the workspaces that are made in a space have their documents,
// so that two spaces may use the same name.
func HomeNamespace(space string) string {
	if space == access.Root {
		return ref.DefaultNamespace
	}
	return space
}

// keepWorkspace keeps what workspaces have beside their stack, in the transaction of its document.
func (s *Service) keepWorkspace(ctx context.Context, tx *store.Tx, c document.Change) error {
	tags, err := json.Marshal(append([]string{}, c.New.Metadata.Tags...))
	if err != nil {
		return err
	}
	own := map[string]string{}
	for key, value := range c.New.Metadata.Labels {
		if !strings.Contains(key, "/") {
			own[key] = value
		}
	}
	labels, err := json.Marshal(own)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO stack_workspaces (stack, id, name, tags, labels, description, created) VALUES ($1,$2,$3,$4,$5,$6,$7)
 ON CONFLICT (stack) DO UPDATE SET tags = excluded.tags, labels = excluded.labels, description = excluded.description`,
		c.Ref.String(), opaqueID(workspaceID), c.Ref.Name, string(tags), string(labels), c.New.Metadata.Description, store.Micros(s.Now()))
	return fault.Wrap(err, "keep the workspace of %s", c.Ref)
}

// opaqueID gives an id that can't be guessed.
func opaqueID(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()) }

// forgetWorkspace takes away what others had of a stack whose name goes to another space.
func forgetWorkspace(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	for _, table := range []string{"stack_workspaces", "stack_workspace_variables", "stack_configurations", "stack_pending_states"} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE stack = $1", r.String()); err != nil {
			return fault.Wrap(err, "forget the workspace of %s", r)
		}
	}
	return nil
}

var workspaceColumns = "w.id, w.tags, w.labels, w.description, w.created, s." + strings.ReplaceAll(stackColumns, ", ", ", s.")

const (
	workspaces     = "stacks s JOIN stack_workspaces w ON w.stack = s.ref"
	fromWorkspaces = " FROM " + workspaces + " "
)

func scanWorkspace(row store.Row) (w Workspace, err error) {
	var tags, labels string
	var created int64
	w.Stack, err = scanStack(ahead{row, []any{&w.ID, &tags, &labels, &w.Description, &created}})
	if err != nil {
		return w, err
	}
	w.Name, w.Created = w.Ref.Name, store.FromMicros(created)
	if err := json.Unmarshal([]byte(labels), &w.Labels); err != nil {
		return w, err
	}
	return w, json.Unmarshal([]byte(tags), &w.Tags)
}

// ahead is a row that begins with columns of somebody else.
type ahead struct {
	store.Row
	first []any
}

func (a ahead) Scan(rest ...any) error { return a.Row.Scan(append(a.first, rest...)...) }

// MaySpace tells whether the caller may see the stacks of a space. Who may not gets NotFound, as for one that is not there.
func (s *Service) MaySpace(ctx context.Context, space string) error {
	if actor.From(ctx).Kind == actor.Anonymous {
		return fault.Errorf(fault.Unauthenticated, "sign in to see the stacks of a space")
	}
	there, err := s.Access.Exists(ctx, space)
	if err != nil {
		return err
	}
	if !there || !s.Access.May(ctx, "stack:read", space) {
		return access.NotFound("space " + space)
	}
	return nil
}

// WorkspaceNamed gives the stack of a name in a space. Of two, in different namespaces of the catalog, it is that in the
// space's own, see HomeNamespace. Permission: stack:read in the space; otherwise NotFound.
func (s *Service) WorkspaceNamed(ctx context.Context, space, name string) (Workspace, error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return Workspace{}, err
	}
	var found []Workspace
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+workspaceColumns+fromWorkspaces+"WHERE s.deleted = 0 AND s.space = $1 AND s.ref IN ($2, $3)",
			space, ref.New("stack", HomeNamespace(space), name).String(), ref.New("stack", ref.DefaultNamespace, name).String())
		found, err = store.Collect(rows, err, scanWorkspace)
		return err
	})
	if err == nil && len(found) == 0 {
		err = access.NotFound("workspace " + name)
	}
	if err != nil {
		return Workspace{}, err
	}
	for _, w := range found {
		if w.Ref.Namespace == HomeNamespace(space) {
			return w, nil
		}
	}
	return found[0], nil
}

// Workspace gives a stack by its id as a workspace. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Workspace(ctx context.Context, id string) (Workspace, error) {
	return s.workspace(ctx, "workspace "+id, "w.id = $1", id)
}

// WorkspaceOf gives the workspace of a stack. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) WorkspaceOf(ctx context.Context, r ref.Entity) (Workspace, error) {
	return s.workspace(ctx, r.String(), "s.ref = $1", r.String())
}

func (s *Service) workspace(ctx context.Context, what, where, arg string) (w Workspace, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w, err = store.One(tx.QueryRow(ctx, "SELECT "+workspaceColumns+fromWorkspaces+"WHERE s.deleted = 0 AND "+where, arg), scanWorkspace, "workspace")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return w, access.NotFound(what)
	}
	if err != nil {
		return w, err
	}
	return w, s.Access.ReadOrNotFound(ctx, "stack:read", w.Space, what)
}

// LockWorkspace takes the lock of a stack's state for the caller, also against others of the caller's own programs.
// A *LockedError when it is held. Permission: stack:state in the stack's space; no step of a run takes it.
func (s *Service) LockWorkspace(ctx context.Context, r ref.Entity, reason string) error {
	stack, err := s.authorizeState(ctx, r, mayWriteState)
	if err != nil {
		return err
	}
	me := actor.From(ctx)
	if me.Run != "" {
		return fault.Errorf(fault.Denied, "a step of a run locks no workspace; its engine locks the state")
	}
	if len(reason) > 4<<10 {
		return fault.Errorf(fault.TooLarge, "the reason is longer than %d bytes; shorten it", 4<<10)
	}
	id := handLock + rand.Text()
	info, err := json.Marshal(map[string]any{"ID": id, "Operation": "workspace", "Info": reason, "Who": me.Name, "Created": s.Now().UTC()})
	if err != nil {
		return err
	}
	return s.lock(ctx, stack, id, info)
}

// ownLock gives the lock that the caller holds on a workspace; the zero row when there is none, a *LockedError when it is
// somebody else's.
func (s *Service) ownLock(ctx context.Context, r ref.Entity) (l lockRow, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		l, err = getLock(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return lockRow{}, nil
	}
	if err == nil && (l.Actor != actor.From(ctx).ID || !strings.HasPrefix(l.ID, handLock)) {
		err = &LockedError{[]byte(l.Info)}
	}
	return l, err
}

// UnlockWorkspace frees the lock that the caller took with LockWorkspace. Conflict when nobody holds it, a *LockedError
// when somebody else does. Permission: stack:state or stack:state-read in the stack's space.
func (s *Service) UnlockWorkspace(ctx context.Context, r ref.Entity) error {
	if _, err := s.authorizeState(ctx, r, mayReadState); err != nil {
		return err
	}
	l, err := s.ownLock(ctx, r)
	if err == nil && l.ID == "" {
		err = fault.Errorf(fault.Conflict, "the state of %s is not locked", r)
	}
	if err != nil {
		return err
	}
	return s.Unlock(ctx, r, []byte(l.Info), false)
}

// WriteWorkspaceState is WriteState for who locks with LockWorkspace, and gives the version that there is then. Its serial is
// what the client says, which may be lower than that in the state; a higher one is Invalid, since what an engine writes next
// would count as older.
// Permission: stack:state in the stack's space.
func (s *Service) WriteWorkspaceState(ctx context.Context, r ref.Entity, serial int64, data []byte) (v StateVersion, err error) {
	if err := s.MayWriteState(ctx, r); err != nil {
		return v, err
	}
	l, err := s.ownLock(ctx, r)
	if err != nil {
		return v, err
	}
	f, err := readState(data)
	if err != nil {
		return v, err
	}
	if serial < 0 || serial > f.Serial {
		return v, fault.Errorf(fault.Invalid, "the state has serial %d, and %d was announced", f.Serial, serial)
	}
	if err := s.writeState(ctx, r, l.ID, &serial, data); err != nil {
		return v, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = store.One(tx.QueryRow(ctx, "SELECT "+stateColumns+" FROM stack_states WHERE stack = $1 AND serial = $2 AND lineage = $3 ORDER BY id DESC LIMIT 1",
			r.String(), serial, f.Lineage), scanState, "state of %s", r)
		return err
	})
	return v, err
}

// StateVersion gives one version of a state, and the stack that it is of.
// Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) StateVersion(ctx context.Context, id string) (r ref.Entity, v StateVersion, err error) {
	none := access.NotFound("state " + id)
	if !ref.IsID(id, ref.State) {
		return r, v, none
	}
	name := ""
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if name, err = optionalText(tx.QueryRow(ctx, "SELECT stack FROM stack_states WHERE id = $1", id)); err != nil || name == "" {
			return err
		}
		if r, err = ref.Parse(name, "stack", ref.DefaultNamespace); err == nil {
			v, err = getState(ctx, tx, r, id)
		}
		return err
	})
	if err == nil && name == "" {
		err = none
	}
	if err != nil {
		return r, v, err
	}
	if _, err := s.read(ctx, r); fault.Is(err, fault.NotFound) {
		return r, v, none
	} else if err != nil {
		return r, v, err
	}
	return r, v, nil
}

// StateContent gives a version of a state as the engine wrote it.
// Permission: stack:state or stack:state-read in the stack's space; NotFound for who may not see the stack.
func (s *Service) StateContent(ctx context.Context, id string) ([]byte, error) {
	r, v, err := s.StateVersion(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.authorizeState(ctx, r, mayReadState); err != nil {
		return nil, err
	}
	return s.openState(ctx, v)
}

// StateOutputs gives the outputs of a version of a state; sensitive ones have their values for who may read the state.
// Permission: stack:read in the stack's space; otherwise NotFound.
func (s *Service) StateOutputs(ctx context.Context, id string) (map[string]Value, error) {
	r, v, err := s.StateVersion(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.authorizeState(ctx, r, mayReadState); err != nil {
		return v.Outputs, nil // who may not read the state sees what everybody sees
	}
	done, err := s.reading(ctx, v.Size)
	if err != nil {
		return nil, err
	}
	defer done()
	f, err := s.contentOf(ctx, v)
	return f.Outputs, err
}

// PlanJSON gives the plan of a run as the engine tells it, sensitive values included.
// Permission: run:read in the run's space, and stack:state or stack:state-read; otherwise NotFound.
func (s *Service) PlanJSON(ctx context.Context, runID string) ([]byte, error) {
	r, err := s.Runs.Get(ctx, runID)
	if err != nil {
		return nil, err
	}
	var out Output
	if r.Kind == RunKind && len(r.Output) > 0 {
		if err := json.Unmarshal(r.Output, &out); err != nil {
			return nil, fault.Wrap(err, "read output of run %s", runID)
		}
	}
	none := access.NotFound("plan of run " + runID)
	if out.Plan == "" {
		return nil, none
	}
	subject, err := ref.Parse(r.Subject, "stack", ref.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	stack, err := s.authorizeState(ctx, subject, mayReadState)
	if err != nil {
		return nil, err
	}
	if stack.Space != r.Space {
		return nil, none
	}
	return s.readBlob(ctx, out.Plan)
}
