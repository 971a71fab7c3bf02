package stack

import (
	"context"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RunTrigger is a dependency as the clients of Terraform's remote protocol know it: runs of one workspace follow those of another.
type RunTrigger struct {
	Workspace Workspace // that depends
	Source    Workspace // on which it depends
	Created   time.Time
}

// RunTriggers gives a part of the dependencies of a workspace, and how many there are of them: on what it depends, or with outbound
// what depends on it, as far as the caller may read these. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) RunTriggers(ctx context.Context, id string, outbound bool, part page.Place) (list []RunTrigger, total int, err error) {
	ws, err := s.Workspace(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil {
		return nil, 0, err
	}
	here, there := "d.stack", "d.upstream"
	if outbound {
		here, there = there, here
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("s.deleted = 0")
		w.Add(here + " = " + w.Arg(ws.Ref.String()))
		if !readable.All {
			w.Add(w.In("s.space", readable.List()))
		}
		list, total, err = store.Part(ctx, tx, "d.created, "+workspaceColumns, workspaces+" JOIN stack_dependencies d ON s.ref = "+there, w, "d.created, s.ref", part.Offset, part.Size(),
			func(row store.Row) (t RunTrigger, err error) {
				var created int64
				other, err := scanWorkspace(ahead{row, []any{&created}})
				if t = (RunTrigger{ws, other, store.FromMicros(created)}); outbound {
					t.Workspace, t.Source = other, ws
				}
				return t, err
			})
		return fault.Wrap(err, "list what hangs together with %s", ws.Ref)
	})
	return list, total, err
}

// RunTrigger gives the dependency of one workspace on another, both by id. Permission: stack:read in the spaces of both; otherwise
// NotFound, as where there is none.
func (s *Service) RunTrigger(ctx context.Context, id, source string) (t RunTrigger, err error) {
	if t.Workspace, err = s.Workspace(ctx, id); err == nil {
		t.Source, err = s.Workspace(ctx, source)
	}
	if err != nil {
		return t, err
	}
	var created int64
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT created FROM stack_dependencies WHERE stack = $1 AND upstream = $2", t.Workspace.Ref.String(), t.Source.Ref.String()).Scan(&created)
	})
	if t.Created = store.FromMicros(created); fault.Is(err, fault.NotFound) {
		err = access.NotFound("dependency of " + t.Workspace.Name + " on " + t.Source.Name)
	}
	return t, err
}

// MayFollow refuses a workspace that would not be run after another, since its space may not use what that gives.
// Permission: stack:read in the spaces of both; otherwise NotFound.
func (s *Service) MayFollow(ctx context.Context, ws, source Workspace) error {
	for _, of := range []Workspace{ws, source} {
		if err := s.Access.ReadOrNotFound(ctx, "stack:read", of.Space, "workspace "+of.Name); err != nil {
			return err
		}
	}
	return s.mayUse(ctx, ws.Stack, source.Stack)
}

// Followers gives the first of the workspaces that are run after one, as far as the caller may read them, and how many there are in
// all. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Followers(ctx context.Context, id string, most int) (list []Workspace, all int, err error) {
	triggers, _, err := s.RunTriggers(ctx, id, true, page.Place{Limit: most})
	if err != nil {
		return nil, 0, err
	}
	for _, t := range triggers {
		list = append(list, t.Workspace)
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_dependencies d JOIN stack_workspaces w ON w.stack = d.upstream JOIN stacks s ON s.ref = d.stack WHERE s.deleted = 0 AND w.id = $1", id).Scan(&all)
	})
	return list, all, fault.Wrap(err, "count what is run after workspace %s", id)
}

type unfollowed struct{}

// Unfollowed gives a context in which a stack is deleted only while none depends on it: Conflict otherwise.
func Unfollowed(ctx context.Context) context.Context {
	return context.WithValue(ctx, unfollowed{}, true)
}

func followedByNone(ctx context.Context, tx *store.Tx, r ref.Entity) error {
	if _, err := tx.Exec(ctx, "UPDATE stack_graph SET edit = edit + 1"); err != nil { // none comes meanwhile
		return fault.Wrap(err, "take the graph of stacks")
	}
	n := 0
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_dependencies WHERE upstream = $1", r.String()).Scan(&n)
	if err == nil && n > 0 {
		err = fault.Errorf(fault.Conflict, "%d stacks depend on it; take it out of spec.dependsOn of their documents first", n)
	}
	return err
}

// Pooled are the workspaces whose stacks name a worker pool.
type Pooled struct {
	IDs    []string // of those that the caller may read, by reference
	Hidden int      // that there are beside those
}

// Pooled gives the workspaces of worker pools, by the names of these. Of others than the caller may read (stack:read) it is told
// only how many there are.
func (s *Service) Pooled(ctx context.Context, pools []string) (all map[string]Pooled, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(pools) == 0 {
		return nil, err
	}
	all = map[string]Pooled{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("s.deleted = 0")
		w.Add(w.In("s.pool", pools))
		rows, err := tx.Query(ctx, "SELECT s.pool, s.space, w.id FROM "+workspaces+w.String()+"ORDER BY s.ref", w.Args...)
		_, err = store.Collect(rows, err, func(row store.Row) (none struct{}, err error) {
			var pool, space, id string
			if err := row.Scan(&pool, &space, &id); err != nil {
				return none, err
			}
			of := all[pool]
			if readable.Has(space) {
				of.IDs = append(of.IDs, id)
			} else {
				of.Hidden++
			}
			all[pool] = of
			return none, nil
		})
		return fault.Wrap(err, "find the workspaces of %d worker pools", len(pools))
	})
	return all, err
}

// WorkspacesByID gives those of some workspaces that the caller may read, by id. Permission: stack:read; others are left out.
func (s *Service) WorkspacesByID(ctx context.Context, ids []string) (all map[string]Workspace, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	all = map[string]Workspace{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return eachOf(ctx, tx, "SELECT "+workspaceColumns+fromWorkspaces, "s.deleted = 0 AND w.id", ids, func(row store.Row) error {
			w, err := scanWorkspace(row)
			if err == nil && readable.Has(w.Space) {
				all[w.ID] = w
			}
			return err
		})
	})
	return all, fault.Wrap(err, "find %d workspaces", len(ids))
}
