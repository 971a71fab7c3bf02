package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// How long a sync waits for health: as long as the Deployment that gives itself the most time, and a little more, so
// that it is the cluster that says what did not come.
const (
	healthLimit = 10 * time.Minute // at least
	healthSlack = time.Minute
)

func patience(objects []cluster.Object) time.Duration {
	limit := healthLimit
	for _, o := range objects {
		if o.GVK().Kind == "Deployment" {
			limit = max(limit, time.Duration(o.Int(0, "spec", "progressDeadlineSeconds"))*time.Second+healthSlack)
		}
	}
	return limit
}

// Handlers gives the platform steps of this room.
func (s *Service) Handlers() map[string]worker.Handler {
	return map[string]worker.Handler{
		ActionRender: s.stepRender, ActionApply: s.stepApply, ActionHealth: s.stepHealth, ActionRollback: s.stepRollback,
	}
}

// work is what a step of a sync works on.
type work struct {
	run run.Run
	in  Input
	app Application
	to  cluster.Cluster
}

func (s *Service) work(ctx context.Context, l worker.Lease) (w work, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if w.run, err = s.Runs.GetTx(ctx, tx, l.Run); err != nil {
			return err
		}
		if err = json.Unmarshal(w.run.Input, &w.in); err != nil {
			return err
		}
		w.app, err = getApplication(ctx, tx, w.in.Application, "")
		return err
	})
	if err != nil {
		return w, fault.Wrap(err, "read the sync")
	}
	if w.app.Deleted {
		return w, fault.Errorf(fault.Conflict, "%s was deleted", w.app.Ref)
	}
	if w.app, err = w.in.Way.held(w.app); err != nil {
		return w, err
	}
	w.to, err = s.clusterOf(w.app)
	return w, err
}

// back gives the work of deploying a revision again, where it was and with the outputs that it had.
func (s *Service) back(w work, rev Revision) (work, error) {
	way, err := w.in.Way.back(rev)
	if err != nil {
		return w, err
	}
	if w.app, err = way.held(w.app); err != nil {
		return w, err
	}
	w.in.Way = way
	w.to, err = s.clusterOf(w.app)
	return w, err
}

// refused ends a step with words for its reader.
func refused(log io.Writer, err error) (worker.Result, error) {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Canceled:
		return worker.Result{}, err
	}
	if fault.Is(err, fault.Unavailable) { // a full disk, a repository that can't be read: no change of the commit mends it
		return worker.Result{}, fault.Errorf(fault.Unavailable, "%s; sync it again when that is mended", clip(err.Error()))
	}
	fmt.Fprintln(log, err.Error())
	return worker.Result{ExitCode: 1, Message: clip(err.Error())}, nil
}

// stepRender reads and checks everything before anything is applied, and keeps the manifests.
func (s *Service) stepRender(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	digest, list, err := s.manifests(ctx, w)
	if err != nil {
		return refused(log, err)
	}
	objects, err := s.objects(ctx, w.app, w.in.Way.Outputs, list)
	if err != nil {
		return refused(log, err)
	}
	changes, err := s.applyAll(ctx, w.to, w.app, objects, true)
	if err != nil {
		return refused(log, err)
	}
	fmt.Fprintf(log, "%s of %s at %s: %d objects\n", w.app.folder(), w.app.Repository, short(w.in.Commit), len(list))
	report(log, changes)
	if err := s.decide(ctx, w, objects, changes, log); err != nil {
		return refused(log, err)
	}
	var good Revision
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		good, err = lastGood(ctx, tx, w.app.Ref.String())
		return err
	})
	if err != nil {
		return worker.Result{}, err
	}
	data, err := json.Marshal(plan{New: created(changes)})
	return worker.Result{Outputs: map[string]string{outManifests: digest, outPrevious: good.ID}, Data: data}, err
}

// plan is what the rendering of a sync leaves for its rollback.
type plan struct {
	New []cluster.Key `json:"new,omitempty"` // objects that were not there before
}

// created lists what a sync makes. Namespaces are left to stand: others may have moved in.
func created(changes []cluster.Change) (keys []cluster.Key) {
	for _, c := range changes {
		if c.Action == cluster.Created && c.Key.Kind != "Namespace" {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// manifests gives what a sync applies, after asking whether the application may do that at all.
func (s *Service) manifests(ctx context.Context, w work) (digest string, list []manifest, err error) {
	if err := s.permitted(ctx, w.app); err != nil { // before anything of the repository is told
		return "", nil, err
	}
	if w.in.Manifests != "" {
		list, err = s.openManifests(ctx, w.in.Manifests)
	} else {
		list, err = s.render(ctx, w.app, w.in.Commit)
	}
	if err != nil {
		return "", nil, err
	}
	if err := s.allowed(ctx, w.app, list); err != nil {
		return "", nil, err
	}
	if w.in.Manifests != "" {
		return w.in.Manifests, list, nil
	}
	digest, err = s.keepManifests(ctx, list)
	return digest, list, err
}

func (s *Service) keepManifests(ctx context.Context, list []manifest) (string, error) {
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	digest, _, err := s.Blob.Put(ctx, bytes.NewReader(data), 4*totalLimit)
	return digest, fault.Wrap(err, "keep the manifests")
}

func (s *Service) openManifests(ctx context.Context, digest string) ([]manifest, error) {
	f, _, err := s.Blob.Open(ctx, digest)
	if err != nil {
		return nil, fault.Wrap(err, "open the kept manifests")
	}
	defer f.Close()
	var list []manifest
	decoder := json.NewDecoder(io.LimitReader(f, 4*totalLimit))
	decoder.UseNumber()
	return list, fault.Wrap(decoder.Decode(&list), "read the kept manifests")
}

// reportLimit bounds the diffs in a step's log, in bytes.
const reportLimit = 1 << 20

func report(log io.Writer, changes []cluster.Change) {
	size := 0
	for _, c := range changes {
		fmt.Fprintf(log, "%-10s %s\n", c.Action, c.Key)
		if size += len(c.Diff); c.Diff != "" && size <= reportLimit {
			fmt.Fprintln(log, c.Diff)
		}
		for _, w := range c.Warnings {
			fmt.Fprintf(log, "warning: %s: %s\n", c.Key, w)
		}
	}
}

// stepApply applies what was rendered. Doing it twice changes nothing the second time.
func (s *Service) stepApply(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	rendered, err := s.rendered(ctx, w.run.ID)
	if err != nil {
		return worker.Result{}, err
	}
	digest := rendered.Outputs[outManifests]
	changes, err := s.apply(ctx, w, digest)
	if err != nil {
		return refused(log, err)
	}
	report(log, changes)
	data, err := json.Marshal(outputOf(digest, changes))
	return worker.Result{Data: data}, err
}

// outputOf is what the run's page shows of a sync, within the bounds of a row.
func outputOf(digest string, changes []cluster.Change) Output {
	out := Output{Manifests: digest}
	size := 0
	for _, c := range changes {
		if c.Action == cluster.Unchanged {
			continue
		}
		if size += len(c.Diff); size > 64<<10 {
			c.Diff = ""
		}
		out.Changes = append(out.Changes, Change{c.Key.String(), string(c.Action), c.Diff})
	}
	return out
}

// rendered gives what the first step of a sync found.
func (s *Service) rendered(ctx context.Context, runID string) (result worker.Result, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		steps, err := s.Runs.StepsTx(ctx, tx, runID)
		for _, st := range steps {
			if st.Key == "render" {
				result = st.Result
			}
		}
		return err
	})
	return result, err
}

func (s *Service) apply(ctx context.Context, w work, digest string) ([]cluster.Change, error) {
	list, err := s.openManifests(ctx, digest)
	if err != nil {
		return nil, err
	}
	if err := s.allowed(ctx, w.app, list); err != nil {
		return nil, err
	}
	objects, err := s.objects(ctx, w.app, w.in.Way.Outputs, list)
	if err != nil {
		return nil, err
	}
	return s.applyAll(ctx, w.to, w.app, objects, false)
}

// stepHealth waits until everything is healthy, and gives up when something is degraded or time is over.
func (s *Service) stepHealth(ctx context.Context, l worker.Lease, log io.Writer) (worker.Result, error) {
	w, err := s.work(ctx, l)
	if err != nil {
		return refused(log, err)
	}
	why, err := s.awaitHealth(ctx, w, log)
	if err != nil {
		return worker.Result{}, err
	}
	rendered, err := s.rendered(ctx, w.run.ID)
	if err != nil {
		return worker.Result{}, err
	}
	state := revisionGood
	if why != "" {
		state = revisionFailed
	}
	stands, err := s.record(ctx, w, rendered.Outputs[outManifests], state, why)
	if err != nil {
		return worker.Result{}, err
	}
	if stands.State != revisionGood {
		return worker.Result{ExitCode: 1, Message: stands.Message}, nil
	}
	return worker.Result{Message: "deployed " + short(w.in.Commit)}, nil
}

// awaitHealth gives "" once all is healthy, or why it will not be.
func (s *Service) awaitHealth(ctx context.Context, w work, log io.Writer) (string, error) {
	deleted, stop := s.DB.Listen(channelDeleted)
	defer stop()
	objects, err := w.to.List(ctx, cluster.ListOptions{Owner: w.app.owner()})
	if err != nil {
		return "", err
	}
	limit := patience(objects)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	wake, err := w.to.Watch(ctx, w.app.owner())
	if err != nil {
		return "", err
	}
	last := ""
	for {
		select {
		case <-wake:
		case <-deleted:
		case <-ctx.Done():
		}
		if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
			return fmt.Sprintf("did not become healthy within %s: %s", limit, last), nil
		} else if cause != nil {
			return "", cause
		}
		wanted, err := s.wanted(ctx, w.app)
		if err != nil {
			return "", err
		}
		if !wanted {
			return "was deleted while it was deployed", nil
		}
		st := Status{Application: w.app, Health: cluster.Healthy}
		if st.Objects, err = w.to.Tree(ctx, w.app.owner()); err != nil {
			return "", err
		}
		st.judge()
		if line := fmt.Sprintf("%s %s", st.Health, st.Why); line != last {
			fmt.Fprintln(log, line)
			last = line
		}
		switch st.Health {
		case cluster.Healthy, cluster.Suspended:
			return "", nil
		case cluster.Degraded:
			return "did not become healthy: " + st.Why, nil
		}
	}
}

func (s *Service) wanted(ctx context.Context, a Application) (wanted bool, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		now, err := getApplication(ctx, tx, a.Ref.String(), "")
		wanted = err == nil && !now.Deleted
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	})
	return wanted, err
}
