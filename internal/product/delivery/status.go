package delivery

import (
	"context"
	"io"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (s *Service) status(ctx context.Context, a Application, compare bool) (Status, error) {
	st := Status{Application: a, Sync: StatusUnknown, Health: cluster.Missing, Why: "nothing is deployed"}
	var page run.Page
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		page, err = s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Spaces: []string{a.Space}, Subject: a.Ref.String(), Limit: 1})
		return err
	})
	if err != nil {
		return st, err
	}
	if len(page.Runs) > 0 {
		st.Last = &page.Runs[0]
	}
	left, err := s.left(ctx, a)
	if err != nil {
		return st, err
	}
	for _, p := range left {
		st.Left = append(st.Left, p.String())
	}
	c, err := s.clusterOf(a)
	if err != nil {
		st.Why = fault.Message(err)
		return st, nil
	}
	if st.Objects, err = c.Tree(ctx, a.owner()); err != nil {
		return st, fault.Wrap(err, "look at the objects of %s", a.Ref)
	}
	st.judge()
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	switch {
	case err != nil:
		st.Message = fault.Message(err)
	case a.Synced == "" || head != a.Synced || a.Message == messageDiffers:
		st.Sync = StatusOutOfSync
	default:
		st.Sync = StatusSynced
	}
	if compare && st.Sync == StatusSynced {
		if changes, err := s.compare(ctx, a, a.Synced); err != nil || differ(changes) {
			st.Sync = StatusOutOfSync
		}
	}
	return st, nil
}

// judge sums up the health of an application's objects.
func (st *Status) judge() {
	if len(st.Objects) == 0 && st.Synced == "" {
		return
	}
	st.Health, st.Why = cluster.Healthy, ""
	for _, n := range st.Objects {
		st.URLs = append(st.URLs, n.URLs...)
		if n.Parent != (cluster.Key{}) {
			continue // what makes it has judged it
		}
		if worst := cluster.Worst(st.Health, n.Health); worst != st.Health {
			st.Health, st.Why = worst, n.Key.Kind+" "+n.Key.Name+": "+n.Message
		}
	}
}

func differ(changes []cluster.Change) bool {
	for _, c := range changes {
		if c.Action != cluster.Unchanged {
			return true
		}
	}
	return false
}

// Logs reads what a pod of the application has written. Permission: application:read in its space.
func (s *Service) Logs(ctx context.Context, r ref.Entity, pod string, opts cluster.LogOptions) (io.ReadCloser, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return nil, err
	}
	c, err := s.clusterOf(a)
	if err != nil {
		return nil, err
	}
	nodes, err := c.Tree(ctx, a.owner())
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Key.Kind == "Pod" && (n.Key.Name == pod || n.Key.String() == pod || pod == "") {
			return c.Logs(ctx, n.Key, opts)
		}
	}
	return nil, fault.Errorf(fault.NotFound, "%s has no pod %q", r, pod)
}

// Watch wakes its reader when the application's objects changed. Permission: application:read in its space.
func (s *Service) Watch(ctx context.Context, r ref.Entity) (<-chan struct{}, error) {
	a, err := s.read(ctx, r)
	if err != nil {
		return nil, err
	}
	c, err := s.clusterOf(a)
	if err != nil {
		return nil, err
	}
	return c.Watch(ctx, a.owner())
}
