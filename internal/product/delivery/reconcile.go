package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const jobLook = "delivery.look"

type lookArgs struct {
	Application string `json:"application"`
}

func (s *Service) subscribe() {
	queue.Handle(s.Queue, jobLook, queue.HandleOptions{Timeout: time.Minute}, func(ctx context.Context, a lookArgs) error {
		return s.reconcile(system(ctx), a.Application)
	})
	s.Ledger.Subscribe("delivery", []string{"repository.pushed", "stack.outputs-changed", "run.state-changed", "trigger."}, s.happened)
}

func (s *Service) look(ctx context.Context, tx *store.Tx, name string) error {
	return s.Queue.Insert(ctx, tx, jobLook, lookArgs{name}, queue.InsertOptions{Unique: name})
}

// happened asks for a look at every application that an entry may move.
func (s *Service) happened(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	apps, err := s.concerned(ctx, tx, e)
	if err != nil {
		return fault.Wrap(err, "find the applications of %s", e.Type)
	}
	for _, a := range apps {
		if err := s.look(ctx, tx, a.Ref.String()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) concerned(ctx context.Context, tx *store.Tx, e ledger.Entry) ([]Application, error) {
	switch {
	case e.Type == "repository.pushed":
		return s.following(ctx, tx, strings.TrimPrefix(e.Subject, "repository:"))
	case e.Type == "stack.outputs-changed":
		return findApplications(ctx, tx, "deleted = 0 AND stack = $1", e.Subject)
	case strings.HasPrefix(e.Type, "trigger."):
		for _, r := range e.Refs {
			if repository, ok := strings.CutPrefix(r, "repository:"); ok {
				return s.following(ctx, tx, repository)
			}
		}
		return nil, nil
	}
	var change struct {
		Terminal bool   `json:"terminal"`
		Kind     string `json:"run_kind"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || !change.Terminal || change.Kind == RunKind {
		return nil, nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	if err != nil || r.Source.Repository == "" {
		return nil, err
	}
	return s.following(ctx, tx, r.Source.Repository)
}

func (s *Service) following(ctx context.Context, tx *store.Tx, repository string) ([]Application, error) {
	return findApplications(ctx, tx, "deleted = 0 AND repository = $1", repository)
}

// reconcile starts a sync when the branch's head, or what it is deployed with, is not what runs. It is
// level-triggered: it compares what should be with what is, and can be called at any time.
func (s *Service) reconcile(ctx context.Context, name string) error {
	var a Application
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = getApplication(ctx, tx, name, "")
		return err
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Deleted {
		return s.remove(ctx, a)
	}
	if !a.Spec.automatic() {
		return nil
	}
	head, err := s.Repositories.Head(ctx, a.Repository, a.Branch)
	if err != nil {
		return s.say(ctx, a, err)
	}
	wait, err := s.waitsFor(ctx, a, head)
	if err != nil {
		return s.say(ctx, a, err)
	}
	if wait != "" {
		return s.setMessage(ctx, a, wait)
	}
	mark, err := s.mark(ctx, a, head)
	if err != nil {
		return s.say(ctx, a, err)
	}
	if mark == a.Failed {
		return nil
	}
	if a.Synced == head {
		changes, err := s.compare(ctx, a, head)
		if err != nil {
			return s.say(ctx, a, err)
		}
		if !differ(changes) {
			return s.setMessage(ctx, a, "")
		}
		if !a.Spec.selfHeal() && !outputsChanged(a, changes) {
			return s.setMessage(ctx, a, "the cluster differs from the repository; sync to mend it")
		}
	}
	open, err := s.openSync(ctx, a)
	if err != nil || open {
		return err // its end asks for another look
	}
	_, err = s.start(ctx, a, Input{Commit: head, Mark: mark}, "")
	return err
}

// outputsChanged tells whether the stack's outputs are among what differs.
func outputsChanged(a Application, changes []cluster.Change) bool {
	for _, c := range changes {
		if c.Action != cluster.Unchanged && c.Key.Name == a.Stack.Name+OutputsSuffix {
			return true
		}
	}
	return false
}

// mark names what is deployed: the commit and the version of the stack's outputs. What failed with a mark is not
// tried again with the same.
func (s *Service) mark(ctx context.Context, a Application, commit string) (string, error) {
	if a.Stack.IsZero() {
		return commit, nil
	}
	_, version, err := s.Stacks.Outputs(ctx, a.Stack)
	return commit + "+" + version, err
}

// waitsFor says what a commit must wait for, or "" when it may be deployed.
func (s *Service) waitsFor(ctx context.Context, a Application, commit string) (string, error) {
	space, err := s.Repositories.SpaceOf(ctx, a.Repository)
	if err != nil {
		return "", err
	}
	within, err := s.Access.Within(ctx, space, a.Space)
	if err != nil {
		return "", err
	}
	if !within {
		return "", fault.Errorf(fault.Denied, "%s is in space %s and may not use repository %s, which is in space %s", a.Ref, a.Space, a.Repository, space)
	}
	state, runID, err := s.Pipelines.Pipeline(ctx, a.Repository, "refs/heads/"+a.Branch, commit)
	if err != nil {
		return "", err
	}
	switch state {
	case PipelineRunning:
		return "waits for the pipeline of " + short(commit), nil
	case PipelineFailed:
		return fmt.Sprintf("the pipeline of %s failed (%s), so it is not deployed", short(commit), runID), nil
	}
	if a.Stack.IsZero() {
		return "", nil
	}
	if _, version, err := s.Stacks.Outputs(ctx, a.Stack); err != nil || version == "" {
		return "waits for " + a.Stack.String() + " to be applied", err
	}
	return "", nil
}

func (s *Service) openSync(ctx context.Context, a Application) (open bool, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM runs WHERE kind = $1 AND subject = $2 AND terminal = 0", RunKind, a.Ref.String()).Scan(&n)
		open = n > 0
		return err
	})
	return open, err
}

// remove takes the objects of a deleted application away.
func (s *Service) remove(ctx context.Context, a Application) error {
	c, err := s.clusterOf(a)
	if err != nil {
		return nil // its cluster is gone too
	}
	objects, err := c.List(ctx, cluster.ListOptions{Owner: a.owner()})
	if err != nil {
		return fault.Wrap(err, "list the objects of %s", a.Ref)
	}
	keys := make([]cluster.Key, 0, len(objects))
	for _, o := range objects {
		keys = append(keys, o.Key())
	}
	if len(keys) > 0 {
		if _, err := c.Delete(ctx, keys, cluster.DeleteOptions{Owner: a.owner()}); err != nil {
			return fault.Wrap(err, "delete the objects of %s", a.Ref)
		}
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM applications WHERE ref = $1 AND deleted = 1", a.Ref.String())
		if err != nil || n == 0 {
			return err
		}
		return s.note(ctx, tx, a, "application.removed", "", map[string]any{"objects": len(keys)})
	})
}

func (s *Service) setMessage(ctx context.Context, a Application, message string) error {
	if a.Message == message {
		return nil
	}
	return s.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE applications SET message = $2 WHERE ref = $1", a.Ref.String(), message)
		return err
	})
}

// say shows on the application's page why it can't go on; what may pass by itself is left to the queue.
func (s *Service) say(ctx context.Context, a Application, why error) error {
	switch fault.KindOf(why) {
	case fault.Internal, fault.Unavailable, fault.Canceled:
		return why
	}
	return s.setMessage(ctx, a, why.Error())
}

// Run heals applications whose objects changed in their cluster, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = system(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for name, c := range s.Clusters {
		group.Go(func() error { return s.follow(ctx, name, c) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// follow asks for a look at the applications of a cluster after it changed, at most once a second.
func (s *Service) follow(ctx context.Context, name string, c cluster.Cluster) error {
	wake, err := c.Watch(ctx, "")
	if err != nil {
		return fault.Wrap(err, "watch cluster %s", name)
	}
	for range wake {
		err := s.DB.Write(ctx, func(tx *store.Tx) error {
			apps, err := findApplications(ctx, tx, "deleted = 0 AND synced <> ''")
			if err != nil {
				return err
			}
			for _, a := range apps {
				if s.cluster(a.Spec.Destination) != c || !a.Spec.automatic() {
					continue
				}
				if err := s.look(ctx, tx, a.Ref.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			s.Log.Error("delivery: look at applications", "cluster", name, "error", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}
